/* SPDX-License-Identifier: Apache-2.0
 * Growing lists, and numbers as ids. */
#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_PREFIX "51d00000-0000-4000-8000-"

/* Room for one more; a full list is a mistake of the simulator, or no memory. */
static void *grow(void *list, uint32_t count, uint32_t *capacity, size_t element)
{
    if (count < *capacity)
        return list;
    *capacity = *capacity ? 2 * *capacity : 32;
    list = realloc(list, *capacity * element);
    if (!list)
        exit(2);
    return list;
}

uint32_t ledger_content(ledger *l, const trained *what)
{
    l->contents = grow(l->contents, l->content_count, &l->content_capacity, sizeof *what);
    l->contents[l->content_count] = *what;
    return ++l->content_count;
}

uint32_t ledger_model_new(ledger *l, const ledger_model *what)
{
    l->models = grow(l->models, l->model_count, &l->model_capacity, sizeof *what);
    l->models[l->model_count] = *what;
    return ++l->model_count;
}

uint32_t ledger_partial_new(ledger *l, const ledger_partial *what)
{
    l->partials = grow(l->partials, l->partial_count, &l->partial_capacity, sizeof *what);
    l->partials[l->partial_count] = *what;
    return ++l->partial_count;
}

void ledger_done(ledger *l)
{
    free(l->contents);
    free(l->models);
    free(l->partials);
}

void id_text(uint64_t number, char text[FEDN__UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    char *end = text + FEDN__UUID_TEXT - 1;

    memcpy(text, ID_PREFIX, sizeof ID_PREFIX - 1);
    *end = 0;
    for (uint32_t i = 0; i < 12; i++, number >>= 4)
        *--end = digits[number & 15];
}

uint64_t id_number(const char *text)
{
    return text[0] ? strtoull(text + sizeof ID_PREFIX - 1, NULL, 16) : 0;
}

void contents_add(contents *to, uint32_t content)
{
    if (to->count < sizeof to->list / sizeof to->list[0])
        to->list[to->count] = content;
    to->count++;
}

void contents_add_all(contents *to, const contents *more)
{
    for (uint32_t i = 0; i < more->count; i++)
        contents_add(to, more->list[i]);
}
