/* SPDX-License-Identifier: ISC */
/*
 * dkim_keys.h - public keys of the seeds in corpus/dkim; the private ones
 * were thrown away.
 */
#ifndef POSTERN_TESTS_DKIM_KEYS_H
#define POSTERN_TESTS_DKIM_KEYS_H

#define SEED_RSA \
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDDP9" \
    "YJxZxcV2tPYcLSyo+yMYa1pE6bVf0N04wMJZLb0Js+zJbZz5tu23BPROq3td" \
    "yLnmftPvN2AkbvfXbkQYrC9cu2TJaBNsKK8ZuUPTRNhnZAV5oNfHhYr1bNX1" \
    "8DB+Z+czufhaiSqsaqEWitmZqAroT+dIb52FR563RVX4LX6QIDAQAB"

#define SEED_ED25519 \
    "v=DKIM1; k=ed25519; p=mNNstbqcpr0iRtIb1NvPwe0EBxgdu8mVic1x2x" \
    "JSef8="

#endif
