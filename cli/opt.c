/* SPDX-License-Identifier: Apache-2.0
 * Command lines. Options are made from the property table: --combiner-listen sets combiner.listen,
 * and --listen does in a command about combiners. */
#include "opt.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 80, WORD_BYTES = 48 };

/* Letters to change, add or take away between two words. */
static uint32_t distance(const char *a, const char *b)
{
    uint32_t row[WORD_BYTES + 1];
    uint32_t b_len = (uint32_t)strnlen(b, WORD_BYTES);

    for (uint32_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (uint32_t i = 1; a[i - 1] && i <= WORD_BYTES; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= b_len; j++) {
            uint32_t cost = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j - 1] + 1 < cost)
                cost = row[j - 1] + 1;
            if (row[j] + 1 < cost)
                cost = row[j] + 1;
            row[j] = cost;
        }
    }
    return row[b_len];
}

/* The nearest of the words seen so far. */
typedef struct nearest {
    const char *wanted;
    uint32_t least;
    char word[NAME_BYTES];
} nearest;

static void consider(nearest *best, const char *word)
{
    uint32_t far = distance(best->wanted, word);

    if (best->word[0] && far >= best->least)
        return;
    best->least = far;
    snprintf(best->word, sizeof best->word, "%s", word);
}

void opt_name(const char *property, int32_t whole, char *text, size_t bytes)
{
    const char *from = property;

    if (!whole && strchr(property, '.'))
        from = strchr(property, '.') + 1;
    snprintf(text, bytes, "--%s", from);
    for (char *c = text; *c; c++)
        if (*c == '.' || *c == '_')
            *c = '-';
}

static const cli_option globals[] = {
    {"config", "FILE", ""}, {"json", NULL, ""}, {"help", NULL, ""}, {NULL, NULL, NULL}};

/* One option as it was written, and what it turned out to be. */
typedef struct found {
    char name[NAME_BYTES]; /* with its dashes, underscores made dashes */
    const char *value;     /* behind '='; NULL: none */
    const cli_line *cli;
    const char *property; /* what it sets; NULL: none so far */
    const char *type;
    int32_t negated; /* --no-... */
    nearest nearest;
} found;

static int32_t has_short_form(const cli_line *cli, const char *property)
{
    for (int32_t i = 0; i < CLI_PREFIXES; i++) {
        const char *prefix = cli->command->prefixes[i];
        if (prefix && strncmp(property, prefix, strlen(prefix)) == 0)
            return 1;
    }
    return 0;
}

/* 1 if this is the option that was written. */
static int32_t match(found *self, const char *option, const char *property, const char *type)
{
    int32_t negated = strcmp(type, "boolean") == 0 && strncmp(self->name, "--no-", 5) == 0 &&
                      strcmp(self->name + 5, option + 2) == 0;

    consider(&self->nearest, option);
    if (strcmp(self->name, option) != 0 && !negated)
        return 0;
    self->property = property;
    self->type = type;
    self->negated = negated;
    return 1;
}

static void each_property(const char *name, const char *type, const char *range,
                          const char *initial, const char *value, const char *doc, void *user_data)
{
    found *self = user_data;
    char option[NAME_BYTES];

    (void)range;
    (void)initial;
    (void)value;
    (void)doc;
    if (self->property)
        return;
    opt_name(name, 1, option, sizeof option);
    if (match(self, option, name, type) || !has_short_form(self->cli, name))
        return;
    opt_name(name, 0, option, sizeof option);
    (void)match(self, option, name, type);
}

/* The row of an option in a list, -1 if it is not there. */
static int32_t find_row(found *self, const cli_option *list)
{
    for (int32_t i = 0; list && list[i].name; i++) {
        char option[NAME_BYTES];
        snprintf(option, sizeof option, "--%s", list[i].name);
        consider(&self->nearest, option);
        if (strcmp(option, self->name) == 0)
            return i;
    }
    return -1;
}

/* The words of the command line that are still to be read. */
typedef struct word_list {
    char **next;
    char **end;
} word_list;

/* The value of an option: behind '=' or the next word. */
static fedn_status take_value(found *self, word_list *words, const char *what, const char **ret,
                              fedn_error *err)
{
    *ret = self->value;
    if (!*ret && words->next < words->end)
        *ret = *words->next++;
    if (!*ret)
        return cli_error(err, FEDN_ERR_INVALID, "%s needs a value: %s %s", self->name, self->name,
                         what);
    return FEDN_OK;
}

static fedn_status take_row(found *self, word_list *words, const cli_option *row, const char **ret,
                            fedn_error *err)
{
    if (row->value)
        return take_value(self, words, row->value, ret, err);
    if (self->value)
        return cli_error(err, FEDN_ERR_INVALID, "%s takes no value", self->name);
    *ret = "";
    return FEDN_OK;
}

static fedn_status take_global(cli_line *cli, found *self, word_list *words, int32_t row,
                               fedn_error *err)
{
    const char *value = NULL;

    fedn_status rc = take_row(self, words, &globals[row], &value, err);
    if (rc != FEDN_OK)
        return rc;
    if (row == 0)
        cli->config_file = value;
    else if (row == 1)
        cli->json = 1;
    else
        cli->help = 1;
    return FEDN_OK;
}

static fedn_status take_property(cli_line *cli, found *self, word_list *words, int32_t set,
                                 fedn_error *err)
{
    const char *value = self->value;
    fedn_status rc = FEDN_OK;

    if (strcmp(self->type, "boolean") != 0)
        rc = take_value(self, words, "VALUE", &value, err);
    else if (self->negated)
        value = "false";
    else if (!value)
        value = "true";
    if (rc == FEDN_OK && set)
        rc = fedn_config_set(cli->config, self->property, value, err);
    return rc;
}

static void look_at(found *self, const cli_line *cli, const char *word)
{
    size_t len = strcspn(word, "=");

    memset(self, 0, sizeof *self);
    self->cli = cli;
    self->value = word[len] ? word + len + 1 : NULL;
    snprintf(self->name, sizeof self->name, "%.*s", (int)len, strcmp(word, "-h") ? word : "--help");
    for (char *c = self->name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    self->nearest.wanted = self->name;
}

static fedn_status take_option(cli_line *cli, const char *word, word_list *words, int32_t set,
                               fedn_error *err)
{
    found self;

    look_at(&self, cli, word);
    int32_t row = find_row(&self, globals);
    if (row >= 0)
        return take_global(cli, &self, words, row, err);
    row = find_row(&self, cli->command->options);
    if (row >= 0)
        return take_row(&self, words, &cli->command->options[row], &cli->values[row], err);
    fedn_config_each(cli->config, "", each_property, &self);
    if (self.property)
        return take_property(cli, &self, words, set, err);
    return cli_error(err, FEDN_ERR_INVALID, "unknown option %s: did you mean %s?", self.name,
                     self.nearest.word);
}

static fedn_status take_argument(cli_line *cli, const char *word, fedn_error *err)
{
    const cli_command *command = cli->command;

    if (cli->arg_count >= command->most)
        return cli_error(err, FEDN_ERR_INVALID, "%s%s%s takes %s%s: \"%s\" is too much",
                         command->noun, *command->verb ? " " : "", command->verb,
                         command->most ? "only " : "no arguments", command->args, word);
    cli->args[cli->arg_count++] = word;
    return FEDN_OK;
}

/* Reads all words behind the command; properties are set in the second pass only, when file and
 * environment have been loaded. */
static fedn_status pass(cli_line *cli, word_list words, int32_t set, fedn_error *err)
{
    int32_t options = 1;
    fedn_status rc = FEDN_OK;

    cli->arg_count = 0;
    while (rc == FEDN_OK && words.next < words.end) {
        const char *word = *words.next++;
        if (options && strcmp(word, "--") == 0)
            options = 0;
        else if (options && word[0] == '-' && word[1])
            rc = take_option(cli, word, &words, set, err);
        else
            rc = take_argument(cli, word, err);
    }
    return rc;
}

int32_t opt_is_noun(const char *noun)
{
    for (const cli_command *c = cli_commands; c->noun; c++)
        if (strcmp(c->noun, noun) == 0)
            return 1;
    return 0;
}

static fedn_status suggest_noun(const char *noun, fedn_error *err)
{
    nearest best = {.wanted = noun};

    for (const cli_command *c = cli_commands; c->noun; c++)
        consider(&best, c->noun);
    return cli_error(err, FEDN_ERR_INVALID,
                     "unknown command \"%s\": did you mean %s? (fednctl help lists all)", noun,
                     best.word);
}

/* The noun with this verb, else the noun that needs none. */
static const cli_command *find_row_of(const char *noun, const char *verb)
{
    const cli_command *row = NULL;

    for (const cli_command *c = cli_commands; c->noun; c++) {
        if (strcmp(c->noun, noun) != 0)
            continue;
        if (verb && strcmp(c->verb, verb) == 0)
            return c;
        if (!*c->verb)
            row = c;
    }
    return row;
}

fedn_status opt_find_command(const char *noun, const char *verb, const cli_command **ret,
                             fedn_error *err)
{
    nearest best = {.wanted = verb ? verb : ""};
    char verbs[NAME_BYTES] = "";

    if (!opt_is_noun(noun))
        return suggest_noun(noun, err);
    *ret = find_row_of(noun, verb);
    if (*ret)
        return FEDN_OK;
    for (const cli_command *c = cli_commands; c->noun; c++) {
        if (strcmp(c->noun, noun) != 0)
            continue;
        consider(&best, c->verb);
        size_t used = strlen(verbs);
        snprintf(verbs + used, sizeof verbs - used, "%s%s", used ? ", " : "", c->verb);
    }
    if (!verb)
        return cli_error(err, FEDN_ERR_INVALID, "%s needs to know what to do: %s", noun, verbs);
    return cli_error(err, FEDN_ERR_INVALID, "unknown command \"%s %s\": did you mean %s %s?", noun,
                     verb, noun, best.word);
}

/* Global options may stand before the command. */
static fedn_status leading_options(cli_line *cli, word_list *words, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    while (rc == FEDN_OK && words->next < words->end && **words->next == '-') {
        found self;
        look_at(&self, cli, *words->next++);
        int32_t row = find_row(&self, globals);
        if (row >= 0)
            rc = take_global(cli, &self, words, row, err);
        else if (strcmp(self.name, "--version") == 0)
            return opt_find_command("version", NULL, &cli->command, err);
        else
            rc = cli_error(err, FEDN_ERR_INVALID,
                           "the option %s belongs behind a command: fednctl COMMAND %s", self.name,
                           self.name);
    }
    return rc;
}

static fedn_status find_command(cli_line *cli, word_list *words, fedn_error *err)
{
    fedn_status rc = leading_options(cli, words, err);
    if (rc != FEDN_OK || cli->command)
        return rc;
    if (words->next == words->end) {
        cli->help = 1;
        return opt_find_command("help", NULL, &cli->command, err);
    }
    const char *noun = *words->next++;
    const char *verb = words->next < words->end && **words->next != '-' ? *words->next : NULL;
    if (!verb && opt_is_noun(noun) && words->next < words->end &&
        (strcmp(*words->next, "--help") == 0 || strcmp(*words->next, "-h") == 0))
        cli->help = 1;
    rc = opt_find_command(noun, verb, &cli->command, err);
    if (rc != FEDN_OK && cli->help && opt_is_noun(noun)) {
        cli->args[cli->arg_count++] = noun;
        words->next = words->end;
        return opt_find_command("help", NULL, &cli->command, err);
    }
    if (rc == FEDN_OK && cli->command && *cli->command->verb)
        words->next++;
    return rc;
}

fedn_status opt_parse(cli_line *cli, int argc, char **argv, fedn_error *err)
{
    word_list words = {argv, argv + argc};

    fedn_status rc = find_command(cli, &words, err);
    if (rc != FEDN_OK || !cli->command || cli->arg_count > 0)
        return rc;
    rc = pass(cli, words, 0, err);
    if (rc != FEDN_OK || cli->help)
        return rc;
    if (cli->arg_count < cli->command->least)
        return cli_error(err, FEDN_ERR_INVALID, "%s %s needs %s", cli->command->noun,
                         cli->command->verb, cli->command->args);
    if (cli->config_file)
        rc = fedn_config_load_file(cli->config, cli->config_file, err);
    if (rc == FEDN_OK)
        rc = fedn_config_load_env(cli->config, err);
    return rc == FEDN_OK ? pass(cli, words, 1, err) : rc;
}
