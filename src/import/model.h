/* What an importer has found, in procd's words: services with settings by the names of procd's
 * keys, and a note for everything that has no counterpart. Inside the import room only; one thread.
 *
 * Texts that become values are "marked": everything in them is meant literally (the writer protects
 * what procd would expand), but a MARK_PERCENT or MARK_DOLLAR is a '%' or '$' that procd is to
 * expand. Text from files holds no control characters, so neither mark can come from there. */
#ifndef IMPORT_MODEL_H
#define IMPORT_MODEL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/map.h"
#include "base/strbuf.h"
#include "base/strlist.h"

#define MARK_PERCENT '\x01'
#define MARK_DOLLAR '\x02'
#define MARKED_NUMBER "\x01i"		/* the instance's number */

#define IMPORT_SERVICES_MAX 10000	/* of one import */
#define IMPORT_NOTES_MAX 1000		/* of one service; what is more is counted */
#define IMPORT_LIST_MAX ((size_t)256 << 10)	/* bytes of one list; what is more becomes notes */

struct import_setting {
	char *key;		/* of daemon.toml */
	char *toml;		/* the value as it will stand there */
	char *refused;		/* why procd does not accept it: it becomes a comment */
	char *remark;		/* one line before it; NULL: none */
	int first, last;	/* lines of the output, filled by the writer */
};

struct import_note {
	char *what;		/* the setting, as it was written */
	char *why;
	int line;		/* of the service's file, 0: none */
};

struct import_edge {
	const char *key;	/* "depends_on", ... */
	char *id;		/* whom, in the names of the format */
	char *condition;	/* NULL: the default */
	int line;
	bool quiet;		/* whom is not imported is not worth a note */
};

struct import_service {
	char *id;		/* its name where it comes from */
	char *name;		/* procd's */
	char *origin;		/* "[program:web]" */
	char *file;
	int line;
	char *refused;		/* why the whole of it is a comment */
	int header;		/* line of the output, filled by the writer */
	struct import_setting *settings;
	size_t nsettings, settings_cap;
	struct import_note *notes;
	size_t nnotes, notes_cap, notes_lost;
	struct import_edge *edges;
	size_t nedges, edges_cap;
	struct strlist environment;	/* "NAME=VALUE", marked */
	struct map variables;		/* NAME -> its place there, from 1 */
};

struct import {
	struct import_service **services;
	size_t n, cap;
	struct map by_name;	/* procd's names, to find one that is free */
	struct map by_id;	/* the format's names, aliases too; the first of several */
	struct import_service *whole;	/* notes that belong to no service */
	const char *only;	/* import_text(): the only text there is, and its name; else NULL */
	const char *only_name;
	size_t only_n;
	size_t bytes, files;	/* read so far */
	int exit_code;		/* 0, or the first failure, which is told in ERROR */
	struct error error;
};
void import_init(struct import *im);
void import_fini(struct import *im);

/* The first failure counts. LINE 0: it concerns the whole file. Return -EINVAL. */
int import_fail(struct import *im, const char *file, int line, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
int import_fail_code(struct import *im, int exit_code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A service called ID there; its name is made of NAME (any text). NULL: there are too many, which
 * was noted as the failure. */
struct import_service *import_add(struct import *im, const char *id, const char *name,
				  const char *file, int line);
void import_origin(struct import_service *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* ID means S, too. */
void import_alias(struct import *im, const char *id, struct import_service *s);
struct import_service *import_find(const struct import *im, const char *id);

/* --- settings; a second one of the same key takes the place of the first ------------------------ */

void import_raw(struct import_service *s, const char *key, const char *toml);
void import_bool(struct import_service *s, const char *key, bool on);
void import_int(struct import_service *s, const char *key, long long number);
void import_ms(struct import_service *s, const char *key, long long ms);
void import_text_value(struct import_service *s, const char *key, const char *marked);
void import_list(struct import_service *s, const char *key, const struct strlist *marked);
void import_list_add(struct import_service *s, const char *key, const char *marked);
/* command = SCRIPT with shell = true, in one. KEY may be a hook's: then "sh -c" is spelt out. */
void import_shell(struct import_service *s, const char *key, const char *script);
/* A later variable of the same name wins. False: no program could have such a name. */
bool import_variable(struct import_service *s, const char *name, size_t len, const char *marked);
bool import_has(const struct import_service *s, const char *key);
/* The line before the setting KEY, which is there. */
void import_remark(struct import_service *s, const char *key, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* One that is not to run with what could be carried over. */
void import_hold_back(struct import_service *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- the rest ---------------------------------------------------------------------------------- */

/* WHAT (any text) has no counterpart, and why. */
void import_note(struct import_service *s, int line, const char *what, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* KEY (a string constant): depends on the service ID. */
void import_edge(struct import_service *s, const char *key, const char *id, const char *condition,
		 int line);
void import_soft_edge(struct import_service *s, const char *key, const char *id, int line);
/* When all services are known: edges become settings, or notes where there is no such service. */
void import_resolve(struct import *im);

/* MARKED as a TOML string. */
void import_quote(const char *marked, struct strbuf *out);
/* Append S, meant literally by SH, as one word of a script. */
void import_shell_word(const char *s, struct strbuf *out);

/* --- writer.c ---------------------------------------------------------------------------------- */

void import_write(struct import *im, const char *path, const char *format, struct strbuf *out);

#endif
