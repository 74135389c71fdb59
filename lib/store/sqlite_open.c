/* SPDX-License-Identifier: Apache-2.0
 * Opening the SQLite file: the lock that makes it ours, the connections, the schema. */
#include "store/sqlite.h"

#include "core/alloc.h"
#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SCHEMA_VERSION 1
#define APPLICATION_ID 1178944622 /* "FEDn" */
#define BUSY_MS        1000       /* for an operator's shell that looks into the file */

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

/* `seq` keeps the order of insertion over restarts. The two expressions are the ones that
 * sqlite_list.c writes for these fields, or the indexes would not serve. */
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE record(seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " id TEXT NOT NULL, doc TEXT NOT NULL, UNIQUE(kind, id));"
    "CREATE INDEX record_committed ON record(kind, json_extract(doc, '$.\"committed_at\"'));"
    "CREATE INDEX record_session ON record(kind, json_extract(doc, '$.\"session_id\"'));"
    "PRAGMA application_id=" TEXT(APPLICATION_ID) ";"
                                                  "PRAGMA user_version=" TEXT(
                                                      SCHEMA_VERSION) ";"
                                                                      "COMMIT;";

/* FULL: in WAL mode only this survives the loss of power after a commit. */
static const char pragmas[] = "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864;";

static fedn_status lock_refused(const char *file, int fd, fedn_error *err)
{
    char pid[24] = "";
    ssize_t len = pread(fd, pid, sizeof pid - 1, 0);

    pid[len > 0 ? strspn(pid, "0123456789") : 0] = 0;
    return fedn__error(err, FEDN_ERR_STATE,
                       "store %s is open in process %s: stop it or choose another file", file,
                       *pid ? pid : "unknown");
}

static fedn_status take_lock(const char *file, int *ret_fd, fedn_error *err)
{
    fedn_status rc = FEDN_OK;
    char *path = fedn__strf("%s.lock", file);

    if (!path)
        return fedn__error_nomem(err);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        rc = fedn__error_errno(err, errno, "store %s: cannot open %s", file, path);
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        rc = errno == EWOULDBLOCK ? lock_refused(file, fd, err)
                                  : fedn__error_errno(err, errno, "cannot lock %s", path);
    } else if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
        rc = fedn__error_errno(err, errno, "cannot write %s", path);
    } else {
        *ret_fd = fd;
        fd = -1;
    }
    if (fd >= 0)
        close(fd);
    fedn__free(path);
    return rc;
}

static fedn_status open_connection(const fedn__sqlite *self, sqlite3 **ret, fedn_error *err)
{
    sqlite3 *db = NULL;
    fedn_status rc = FEDN_OK;

    /* SQLite takes ":memory:" and "" for something else than a file of that name */
    char *path = fedn__strf("%s%s", *self->file == '/' ? "" : "./", self->file);
    if (!path)
        return fedn__error_nomem(err);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        rc = db ? fedn__sqlite_error(self, db, err) : fedn__error_nomem(err);
    else if (sqlite3_busy_timeout(db, BUSY_MS) != SQLITE_OK)
        rc = fedn__sqlite_error(self, db, err);
    else
        rc = fedn__sqlite_run(self, db, pragmas, err);
    if (rc != FEDN_OK) {
        sqlite3_close(db);
        db = NULL;
    }
    fedn__free(path);
    *ret = db;
    return rc;
}

/* The first column of the first row as a number, or as text into `text` (8 bytes) if not NULL. */
static fedn_status ask(const fedn__sqlite *self, const char *sql, int64_t *ret, char *text,
                       fedn_error *err)
{
    sqlite3_stmt *statement = NULL;
    fedn_status rc = FEDN_OK;

    if (sqlite3_prepare_v2(self->writer, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        rc = fedn__sqlite_error(self, self->writer, err);
    } else {
        *ret = sqlite3_column_int64(statement, 0);
        const unsigned char *value = sqlite3_column_text(statement, 0);
        if (text)
            snprintf(text, 8, "%s", value ? (const char *)value : "");
    }
    sqlite3_finalize(statement);
    return rc;
}

static fedn_status check_schema(const fedn__sqlite *self, fedn_error *err)
{
    int64_t tables = 0;
    int64_t application = 0;
    int64_t version = 0;

    fedn_status rc = ask(self, "PRAGMA application_id", &application, NULL, err);
    if (rc == FEDN_OK)
        rc = ask(self, "PRAGMA user_version", &version, NULL, err);
    if (rc == FEDN_OK)
        rc = ask(self, "SELECT count(*) FROM sqlite_master", &tables, NULL, err);
    if (rc != FEDN_OK)
        return rc;
    if (tables == 0)
        return fedn__sqlite_run(self, self->writer, schema, err);
    if (application != APPLICATION_ID)
        return fedn__error(err, FEDN_ERR_STORE,
                           "store %s is the database of another program: choose another file",
                           self->file);
    if (version > SCHEMA_VERSION)
        return fedn__error(err, FEDN_ERR_UNSUPPORTED,
                           "store %s has schema version %lld and this library knows up to %d: use "
                           "the newer release that wrote it",
                           self->file, (long long)version, SCHEMA_VERSION);
    return FEDN_OK;
}

static fedn_status use_wal(const fedn__sqlite *self, fedn_error *err)
{
    char mode[8] = "";
    int64_t unused = 0;

    fedn_status rc = ask(self, "PRAGMA journal_mode=WAL", &unused, mode, err);
    if (rc == FEDN_OK && strcmp(mode, "wal") != 0)
        rc = fedn__error(err, FEDN_ERR_STORE,
                         "store %s: no write-ahead log possible there (journal mode %s): choose a "
                         "local disk",
                         self->file, mode);
    return rc;
}

static fedn_status prepare(const fedn__sqlite *self, sqlite3 *db, const char *sql,
                           sqlite3_stmt **ret, fedn_error *err)
{
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) != SQLITE_OK)
        return fedn__sqlite_error(self, db, err);
    return FEDN_OK;
}

static fedn_status connect_and_prepare(fedn__sqlite *self, fedn_error *err)
{
    fedn_status rc = open_connection(self, &self->writer, err);
    if (rc == FEDN_OK)
        rc = check_schema(self, err);
    if (rc == FEDN_OK)
        rc = use_wal(self, err);
    if (rc == FEDN_OK)
        rc = open_connection(self, &self->reader, err);
    if (rc == FEDN_OK)
        rc = prepare(self, self->writer,
                     "INSERT INTO record(kind, id, doc) VALUES(?1, ?2, ?3) "
                     "ON CONFLICT(kind, id) DO UPDATE SET doc = excluded.doc",
                     &self->put, err);
    if (rc == FEDN_OK)
        rc = prepare(self, self->writer, "DELETE FROM record WHERE kind = ?1 AND id = ?2",
                     &self->remove, err);
    if (rc == FEDN_OK)
        rc = prepare(self, self->reader, "SELECT doc FROM record WHERE kind = ?1 AND id = ?2",
                     &self->get, err);
    return rc;
}

/* So that the file is for its owner only; SQLite gives its side files the same mode. */
static fedn_status make_file(const char *file, fedn_error *err)
{
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fedn__error_errno(err, errno, "store %s: cannot open", file);
    close(fd);
    return FEDN_OK;
}

fedn_status fedn__sqlite_open(const char *file, void **ret_self, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    if (!*file)
        return fedn__error(err, FEDN_ERR_INVALID, "store \"sqlite:\" names no file");
    fedn__sqlite *self = fedn__alloc_zero(sizeof *self);
    if (!self)
        return fedn__error_nomem(err);
    pthread_mutex_init(&self->write_mutex, NULL);
    pthread_mutex_init(&self->read_mutex, NULL);
    self->lock_fd = -1;
    self->file = fedn__strdup(file);
    if (!self->file) {
        rc = fedn__error_nomem(err);
        goto out;
    }
    rc = take_lock(file, &self->lock_fd, err);
    if (rc == FEDN_OK)
        rc = make_file(file, err);
    if (rc == FEDN_OK)
        rc = connect_and_prepare(self, err);
    if (rc != FEDN_OK)
        goto out;
    *ret_self = self;
    self = NULL;
out:
    if (self)
        fedn__sqlite_close(self);
    return rc;
}

void fedn__sqlite_close(void *opaque)
{
    fedn__sqlite *self = opaque;

    sqlite3_finalize(self->get);
    sqlite3_finalize(self->put);
    sqlite3_finalize(self->remove);
    sqlite3_close(self->reader);
    sqlite3_close(self->writer);
    if (self->lock_fd >= 0)
        close(self->lock_fd);
    pthread_mutex_destroy(&self->read_mutex);
    pthread_mutex_destroy(&self->write_mutex);
    fedn__free(self->file);
    fedn__free(self);
}
