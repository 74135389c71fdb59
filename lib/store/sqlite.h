/* SPDX-License-Identifier: Apache-2.0
 * What the files of the SQLite backend share. */
#ifndef FEDN__STORE_SQLITE_H
#define FEDN__STORE_SQLITE_H

#include "store/records.h"
#include <pthread.h>
#include <sqlite3.h>

/* One connection writes and one reads, so that a long list does not hold up a round. */
typedef struct fedn__sqlite {
    char *file;
    int lock_fd; /* "<file>.lock", locked while the store is open */

    pthread_mutex_t write_mutex; /* guards the three below */
    sqlite3 *writer;
    sqlite3_stmt *put;
    sqlite3_stmt *remove;

    pthread_mutex_t read_mutex; /* guards the two below */
    sqlite3 *reader;
    sqlite3_stmt *get;
} fedn__sqlite;

/* The error that `db` reports, in our terms. */
fedn_status fedn__sqlite_error(const fedn__sqlite *self, sqlite3 *db, fedn_error *err);
/* A statement without parameters and rows. */
fedn_status fedn__sqlite_run(const fedn__sqlite *self, sqlite3 *db, const char *sql,
                             fedn_error *err);

/* sqlite_open.c */
fedn_status fedn__sqlite_open(const char *file, void **ret_self, fedn_error *err);
void fedn__sqlite_close(void *self);

/* sqlite_list.c */
fedn_status fedn__sqlite_list(void *self, int32_t kind, const fedn__query *query, json_t **ret,
                              uint64_t *ret_count, fedn_error *err);

#endif
