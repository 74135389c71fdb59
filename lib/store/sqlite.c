/* SPDX-License-Identifier: Apache-2.0
 * The record store in a SQLite file: changes, single records, and the meaning of SQLite's errors.
 */
#include "store/sqlite.h"

#include "core/alloc.h"
#include "core/error.h"
#include <errno.h>

/* errno behind an input or output error: sqlite3_system_errno() has lost it by the time that a
 * transaction failed, the write-ahead log and the file have not. */
static int system_error_of(sqlite3 *db)
{
    sqlite3_file *log = NULL;
    int number = 0;

    if (sqlite3_file_control(db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, (void *)&log) == SQLITE_OK &&
        log && log->pMethods)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &number);
    if (number == 0)
        sqlite3_file_control(db, NULL, SQLITE_FCNTL_LAST_ERRNO, &number);
    return number;
}

static fedn_status code_of(int code, sqlite3 *db)
{
    int number = 0;

    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return FEDN_ERR_NOMEM;
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
        return FEDN_ERR_LIMIT;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return FEDN_ERR_DENIED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return FEDN_ERR_STATE;
    case SQLITE_IOERR:
        number = system_error_of(db);
        return number == ENOSPC || number == EDQUOT || number == EFBIG ? FEDN_ERR_LIMIT
                                                                       : FEDN_ERR_STORE;
    default:
        return FEDN_ERR_STORE;
    }
}

static const char *advice_of(fedn_status code)
{
    switch (code) {
    case FEDN_ERR_LIMIT:
        return ": free space on its disk";
    case FEDN_ERR_DENIED:
        return ": make the file and its directory writable";
    case FEDN_ERR_STATE:
        return ": another program holds the file locked";
    default:
        return "";
    }
}

fedn_status fedn__sqlite_error(const fedn__sqlite *self, sqlite3 *db, fedn_error *err)
{
    int number = sqlite3_extended_errcode(db);
    fedn_status code = code_of(number, db);
    return fedn__error_detail(err, code, number, "store %s: %s%s", self->file, sqlite3_errmsg(db),
                              advice_of(code));
}

fedn_status fedn__sqlite_run(const fedn__sqlite *self, sqlite3 *db, const char *sql,
                             fedn_error *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? FEDN_OK
                                                                : fedn__sqlite_error(self, db, err);
}

static fedn_status apply_one(fedn__sqlite *self, const fedn__change *change, fedn_error *err)
{
    sqlite3_stmt *statement = change->document ? self->put : self->remove;
    const char *entity = fedn__kind_get(change->kind)->entity;
    char *text = NULL;

    if (change->document) {
        text = fedn__json_text(change->document);
        if (!text)
            return fedn__error_nomem(err);
    }
    int ok = sqlite3_bind_text(statement, 1, entity, -1, SQLITE_STATIC) == SQLITE_OK &&
             sqlite3_bind_text(statement, 2, change->id, -1, SQLITE_STATIC) == SQLITE_OK &&
             (!text || sqlite3_bind_text(statement, 3, text, -1, SQLITE_STATIC) == SQLITE_OK) &&
             sqlite3_step(statement) == SQLITE_DONE;
    fedn_status rc = ok ? FEDN_OK : fedn__sqlite_error(self, self->writer, err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    fedn__free(text);
    return rc;
}

static fedn_status sqlite_apply(void *opaque, const fedn__change *changes, uint32_t count,
                                fedn_error *err)
{
    fedn__sqlite *self = opaque;

    pthread_mutex_lock(&self->write_mutex);
    fedn_status rc = fedn__sqlite_run(self, self->writer, "BEGIN IMMEDIATE", err);
    for (uint32_t i = 0; rc == FEDN_OK && i < count; i++)
        rc = apply_one(self, &changes[i], err);
    if (rc == FEDN_OK)
        rc = fedn__sqlite_run(self, self->writer, "COMMIT", err);
    if (!sqlite3_get_autocommit(self->writer))
        fedn__sqlite_run(self, self->writer, "ROLLBACK", NULL);
    pthread_mutex_unlock(&self->write_mutex);
    return rc;
}

static fedn_status sqlite_get(void *opaque, int32_t kind, const char *id, json_t **ret,
                              fedn_error *err)
{
    fedn__sqlite *self = opaque;
    fedn_status rc = FEDN_ERR_NOT_FOUND;

    pthread_mutex_lock(&self->read_mutex);
    sqlite3_stmt *get = self->get;
    int step = SQLITE_ERROR;
    if (sqlite3_bind_text(get, 1, fedn__kind_get(kind)->entity, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_text(get, 2, id, -1, SQLITE_STATIC) == SQLITE_OK)
        step = sqlite3_step(get);
    if (step == SQLITE_ROW)
        rc = fedn__json_parse((const char *)sqlite3_column_text(get, 0),
                              (uint64_t)sqlite3_column_bytes(get, 0), 0, self->file, ret, err);
    else if (step != SQLITE_DONE)
        rc = fedn__sqlite_error(self, self->reader, err);
    sqlite3_reset(get);
    sqlite3_clear_bindings(get);
    pthread_mutex_unlock(&self->read_mutex);
    return rc;
}

const fedn__store_backend fedn__store_sqlite = {
    "sqlite", fedn__sqlite_open, fedn__sqlite_close, sqlite_apply, sqlite_get, fedn__sqlite_list,
};
