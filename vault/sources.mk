# Everything that is compiled from this folder, one file a line.
VAULT_SRCS = \
	vault/keys.c \
	vault/vault.c
