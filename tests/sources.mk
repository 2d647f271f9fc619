# The unit tests (tests/unit/NAME.c) and fuzz targets (tests/fuzz/NAME.c).
UNIT_TESTS = \
	test_address \
	test_aliases \
	test_ask \
	test_body \
	test_config \
	test_config_errors \
	test_config_values \
	test_control_text \
	test_deliver \
	test_dialogue \
	test_stream \
	test_limits \
	test_directory_answer \
	test_directory_check \
	test_failures \
	test_header \
	test_ipc \
	test_kv \
	test_log \
	test_lookup \
	test_loop \
	test_mail_date \
	test_maildir \
	test_maildirsize \
	test_message \
	test_names \
	test_received \
	test_peers \
	test_records \
	test_reply \
	test_route \
	test_sandbox \
	test_scoreboard \
	test_segments \
	test_short_id \
	test_slots \
	test_smtp_command \
	test_tables \
	test_tls \
	test_trail \
	test_users \
	test_utf8 \
	test_vault \
	test_verdict \
	test_work

FUZZ_TARGETS = \
	fuzz_session \
	fuzz_control \
	fuzz_trail \
	fuzz_vault \
	fuzz_config \
	fuzz_address \
	fuzz_command \
	fuzz_header \
	fuzz_reply \
	fuzz_short_id \
	fuzz_route \
	fuzz_aliases \
	fuzz_users \
	fuzz_work \
	fuzz_maildirsize
