/* SPDX-License-Identifier: Apache-2.0
 * Lists from the SQLite store: the query of records.h as SQL. Only checked field names, in quotes,
 * become part of the text; every value is bound. */
#include "store/sqlite.h"

#include "core/alloc.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/limits.h"
#include <string.h>

/* "function(doc, '$."a"."b"')" */
static fedn_status add_call(fedn__buffer *sql, const char *function, const char *field)
{
    fedn_status rc = fedn__buffer_add_format(sql, "%s(doc, '$", function);
    while (rc == FEDN_OK) {
        int len = (int)strcspn(field, ".");
        rc = fedn__buffer_add_format(sql, ".\"%.*s\"", len, field);
        if (!field[len])
            break;
        field += len + 1;
    }
    return rc == FEDN_OK ? fedn__buffer_add_text(sql, "')") : rc;
}

/* One condition; `place` is the parameter of its value. It says in SQL what fedn__match_filter()
 * says in C: arrays and objects come out of json_extract as text, and SQLite orders texts behind
 * numbers, hence the questions about the type. */
static fedn_status add_condition(fedn__buffer *sql, const fedn__filter *filter, uint32_t place)
{
    static const char *const operators[] = {"=", "IS NOT", ">", "<", ">=", "<=", "IN"};
    int32_t among = filter->op == FEDN__OP_IN;
    int32_t is_text = json_is_string(among ? json_array_get(filter->value, 0) : filter->value);
    const char *field = filter->field;
    const char *type = NULL;
    fedn_status rc = fedn__buffer_add_text(sql, " AND (");

    if (rc == FEDN_OK)
        rc = add_call(sql, "json_extract", field);
    if (rc != FEDN_OK)
        return rc;
    if (!filter->value || json_is_null(filter->value)) {
        if (filter->op == FEDN__OP_EQ)
            return fedn__buffer_add_text(sql, " IS NULL)");
        return fedn__buffer_add_text(sql, filter->op == FEDN__OP_NE ? " IS NOT NULL)" : " AND 0)");
    }
    rc = fedn__buffer_add_format(sql, among ? " %s (SELECT value FROM json_each(?%u))" : " %s ?%u",
                                 operators[filter->op], (unsigned)place);
    if (is_text)
        type = filter->op == FEDN__OP_NE ? " IS NOT 'text'" : " = 'text'";
    else if (filter->op != FEDN__OP_EQ && filter->op != FEDN__OP_NE)
        type = " IN ('integer', 'real', 'true', 'false')";
    if (rc == FEDN_OK && type) {
        rc = fedn__buffer_add_text(sql, filter->op == FEDN__OP_NE ? " OR " : " AND ");
        if (rc == FEDN_OK)
            rc = add_call(sql, "json_type", field);
        if (rc == FEDN_OK)
            rc = fedn__buffer_add_text(sql, type);
    }
    return rc == FEDN_OK ? fedn__buffer_add_text(sql, ")") : rc;
}

enum { PLACE_KIND = 1, PLACE_LIMIT, PLACE_SKIP, PLACE_VALUES };

static fedn_status add_order(fedn__buffer *sql, const fedn__query *query)
{
    const char *direction = query->ascending ? "ASC" : "DESC";
    fedn_status rc = fedn__buffer_add_text(sql, " ORDER BY ");

    if (rc == FEDN_OK)
        rc = add_call(sql, "json_extract", query->sort_key ? query->sort_key : "committed_at");
    if (rc == FEDN_OK)
        rc = fedn__buffer_add_format(sql, " %s, seq %s LIMIT ?%d OFFSET ?%d", direction, direction,
                                     PLACE_LIMIT, PLACE_SKIP);
    return rc;
}

static fedn_status write_sql(fedn__buffer *sql, const char *what, const fedn__query *query,
                             int32_t ordered)
{
    fedn_status rc =
        fedn__buffer_add_format(sql, "SELECT %s FROM record WHERE kind = ?%d", what, PLACE_KIND);
    for (uint32_t i = 0; rc == FEDN_OK && i < query->filter_count; i++)
        rc = add_condition(sql, &query->filters[i], PLACE_VALUES + i);
    return rc == FEDN_OK && ordered ? add_order(sql, query) : rc;
}

static int bind_value(sqlite3_stmt *statement, uint32_t place, const json_t *value)
{
    if (json_is_array(value)) {
        char *text = fedn__json_text(value);
        return text ? sqlite3_bind_text(statement, (int)place, text, -1, fedn__free) : SQLITE_NOMEM;
    }
    if (json_is_string(value))
        return sqlite3_bind_text(statement, (int)place, json_string_value(value), -1,
                                 SQLITE_STATIC);
    if (json_is_real(value))
        return sqlite3_bind_double(statement, (int)place, json_real_value(value));
    return sqlite3_bind_int64(statement, (int)place,
                              json_is_integer(value) ? json_integer_value(value)
                                                     : json_is_true(value));
}

static int bind_all(sqlite3_stmt *statement, int32_t kind, const fedn__query *query,
                    int32_t ordered)
{
    int64_t limit = query->limit > INT64_MAX || !query->limit ? -1 : (int64_t)query->limit;
    int64_t skip = query->skip > INT64_MAX ? INT64_MAX : (int64_t)query->skip;
    const char *entity = fedn__kind_get(kind)->entity;

    int rc = sqlite3_bind_text(statement, PLACE_KIND, entity, -1, SQLITE_STATIC);
    for (uint32_t i = 0; rc == SQLITE_OK && i < query->filter_count; i++)
        if (query->filters[i].value && !json_is_null(query->filters[i].value))
            rc = bind_value(statement, PLACE_VALUES + i, query->filters[i].value);
    if (rc == SQLITE_OK && ordered)
        rc = sqlite3_bind_int64(statement, PLACE_LIMIT, limit);
    if (rc == SQLITE_OK && ordered)
        rc = sqlite3_bind_int64(statement, PLACE_SKIP, skip);
    return rc;
}

/* Prepared and bound; the caller finalizes. */
static fedn_status ask(fedn__sqlite *self, int32_t kind, const fedn__query *query, int32_t ordered,
                       sqlite3_stmt **ret, fedn_error *err)
{
    fedn__buffer sql;

    *ret = NULL;
    fedn__buffer_init(&sql, 64 * FEDN__KIB);
    fedn_status rc = write_sql(&sql, ordered ? "doc" : "count(*)", query, ordered);
    const char *text = rc == FEDN_OK ? fedn__buffer_text(&sql) : NULL;
    if (!text)
        rc = fedn__error_nomem(err);
    else if (sqlite3_prepare_v2(self->reader, text, -1, ret, NULL) != SQLITE_OK ||
             bind_all(*ret, kind, query, ordered) != SQLITE_OK)
        rc = fedn__sqlite_error(self, self->reader, err);
    fedn__buffer_done(&sql);
    return rc;
}

static fedn_status count_rows(fedn__sqlite *self, int32_t kind, const fedn__query *query,
                              uint64_t *ret_count, fedn_error *err)
{
    sqlite3_stmt *statement = NULL;
    fedn_status rc = ask(self, kind, query, 0, &statement, err);

    if (rc == FEDN_OK && sqlite3_step(statement) != SQLITE_ROW)
        rc = fedn__sqlite_error(self, self->reader, err);
    if (rc == FEDN_OK)
        *ret_count = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rc;
}

static fedn_status read_rows(fedn__sqlite *self, int32_t kind, const fedn__query *query,
                             json_t *list, fedn_error *err)
{
    sqlite3_stmt *statement = NULL;
    int step = SQLITE_ROW;
    fedn_status rc = ask(self, kind, query, 1, &statement, err);

    while (rc == FEDN_OK && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        json_t *document = NULL;
        rc = fedn__json_parse((const char *)sqlite3_column_text(statement, 0),
                              (uint64_t)sqlite3_column_bytes(statement, 0), 0, self->file,
                              &document, err);
        if (rc == FEDN_OK && json_array_append_new(list, document) != 0)
            rc = fedn__error_nomem(err);
    }
    if (rc == FEDN_OK && step != SQLITE_DONE)
        rc = fedn__sqlite_error(self, self->reader, err);
    sqlite3_finalize(statement);
    return rc;
}

fedn_status fedn__sqlite_list(void *opaque, int32_t kind, const fedn__query *query, json_t **ret,
                              uint64_t *ret_count, fedn_error *err)
{
    fedn__sqlite *self = opaque;
    uint64_t count = 0;
    json_t *list = ret ? json_array() : NULL;

    if (ret && !list)
        return fedn__error_nomem(err);
    pthread_mutex_lock(&self->read_mutex);
    /* one transaction, so that the count is of the same moment as the rows */
    fedn_status rc = fedn__sqlite_run(self, self->reader, "BEGIN", err);
    if (rc == FEDN_OK && ret_count)
        rc = count_rows(self, kind, query, &count, err);
    if (rc == FEDN_OK && list)
        rc = read_rows(self, kind, query, list, err);
    if (!sqlite3_get_autocommit(self->reader))
        fedn__sqlite_run(self, self->reader, "COMMIT", NULL);
    pthread_mutex_unlock(&self->read_mutex);
    if (rc != FEDN_OK) {
        json_decref(list);
        return rc;
    }
    if (ret)
        *ret = list;
    if (ret_count)
        *ret_count = count;
    return FEDN_OK;
}
