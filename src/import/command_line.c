/* A shell between procd and a program costs a process and hides the program's pid. It is left out
 * where nobody can see that, and replaces itself by the program where one command is all that it
 * runs. */
#include "import/command_line.h"

#include "base/text.h"

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

/* What no file is, or not the same file: the shell has to do it itself. */
static bool is_shells_own(const char *word)
{
	static const char *const words[] = {
		".", ":", "!", "{", "[[", "alias", "bg", "break", "case", "cd", "command", "continue",
		"eval", "exec", "exit", "export", "fg", "for", "function", "getopts", "hash", "if",
		"jobs", "local", "read", "readonly", "return", "select", "set", "shift", "shopt",
		"source", "time", "times", "trap", "type", "typeset", "declare", "ulimit", "umask",
		"unalias", "unset", "until", "wait", "while", "pushd", "popd",
	};

	return is_one_of(word, words, ARRAY_LEN(words)) || strchr(word, '=') != NULL;
}

/* Signs outside of quotes; what a shell looks for inside double quotes, too, counts there. */
static void look(const char *text, bool *plain, bool *one_command)
{
	char quote = '\0';

	*plain = *one_command = true;
	for (const char *p = text; *p != '\0'; p++) {
		if (quote == '\'') {
			quote = *p == '\'' ? '\0' : quote;
			continue;
		}
		if (*p == '\\' && p[1] != '\0') {
			p++;
			*plain = *plain && quote == '\0' && *p != '\n';
			continue;
		}
		if (*p == '$' || *p == '`')
			*plain = false;
		if (*p == quote)
			quote = '\0';
		else if (quote == '\0' && (*p == '"' || *p == '\''))
			quote = *p;
		else if (quote == '\0' && strchr("*?[]{}~#<>", *p) != NULL)
			*plain = false;
		else if (quote == '\0' && strchr(";&|()\n", *p) != NULL)
			*plain = *one_command = false;
	}
}

bool import_is_one_command(const char *text)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	bool plain, one_command;

	look(text, &plain, &one_command);
	return one_command && words_split(text, &words, NULL) == 0 && words.n > 0 &&
	       !is_shells_own(words.items[0]) && strchr("<>", *words.items[0]) == NULL;
}

void import_command_line(struct import_service *s, const char *key, const char *text)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	auto_free(strbuf_fini) struct strbuf script = STRBUF_INIT;
	bool plain, one_command;

	look(text, &plain, &one_command);
	if (!import_is_one_command(text)) {
		import_shell(s, key, text + strspn(text, " \t\n"));
		return;
	}
	if (plain && words_split(text, &words, NULL) == 0) {
		import_list(s, key, &words);
		return;
	}
	strbuf_addf(&script, "exec %s", text + strspn(text, " \t\n"));
	import_shell(s, key, script.buf);
}
