# Everything that is compiled from this folder, one file a line.
VAULT_SRCS = \
	vault/dkim_keys.c \
	vault/forwards.c \
	vault/keys.c \
	vault/outbound.c \
	vault/tags.c \
	vault/vault.c
