/* SPDX-License-Identifier: ISC */
/*
 * smtp_params.h - ESMTP parameters of MAIL and RCPT, without the path; see
 * smtp_command.h. Only mail/smtp_command.c uses this.
 */
#ifndef POSTERN_MAIL_SMTP_PARAMS_H
#define POSTERN_MAIL_SMTP_PARAMS_H

#include "smtp_command.h"

/* text has no white space at its ends. */
enum command_result params_parse_mail(struct slice text, unsigned offered,
    struct mail_params *params);
enum command_result params_parse_rcpt(struct slice text, unsigned offered,
    struct rcpt_params *params);

#endif
