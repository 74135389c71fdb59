/* SPDX-License-Identifier: Apache-2.0
 * The record store: JSON documents by kind and id, one table of kinds, one function table of
 * backends. All functions may be called from any thread. */
#ifndef FEDN__STORE_RECORDS_H
#define FEDN__STORE_RECORDS_H

#include "core/json.h"

/* Kinds of records; the table in kinds.c gives each its REST entity, key field and fields. */
enum {
    FEDN__KIND_CLIENT,
    FEDN__KIND_COMBINER,
    FEDN__KIND_MODEL,
    FEDN__KIND_PACKAGE,
    FEDN__KIND_SESSION,
    FEDN__KIND_ROUND,
    FEDN__KIND_RUN,
    FEDN__KIND_STATUS,
    FEDN__KIND_VALIDATION,
    FEDN__KIND_PREDICTION,
    FEDN__KIND_METRIC,
    FEDN__KIND_TELEMETRY,
    FEDN__KIND_ATTRIBUTE,
    FEDN__KIND_COUNT
};

/* What a field holds: text unless it says otherwise. Every field may be null. */
enum {
    FEDN__FIELD_TEXT,
    FEDN__FIELD_INTEGER,
    FEDN__FIELD_NUMBER,
    FEDN__FIELD_SWITCH,
    FEDN__FIELD_DATE, /* stamped by the reducer; ISO 8601 in the store */
    FEDN__FIELD_OBJECT,
    FEDN__FIELD_LIST, /* of objects */
    FEDN__FIELD_ANY
};

typedef struct fedn__kind_field {
    const char *name;
    int32_t type;
    const struct fedn__kind_field *members; /* of an object, or of each in a list */
} fedn__kind_field;

typedef struct fedn__kind {
    const char *entity;             /* "clients": REST path and collection */
    const char *key;                /* "client_id" */
    const fedn__kind_field *fields; /* every field of the record; a NULL name at the end */
} fedn__kind;

/* What requests have as well: the settings of a session, who sent something. */
extern const fedn__kind_field fedn__kind_settings[], fedn__kind_party[];

const fedn__kind *fedn__kind_get(int32_t kind);
int32_t fedn__kind_find(const char *entity); /* -1: none */
/* "round_config.rounds" among the fields of a kind; NULL: not known. */
const fedn__kind_field *fedn__kind_field_find(const fedn__kind_field *fields, const char *name);

enum {
    FEDN__OP_EQ,
    FEDN__OP_NE,
    FEDN__OP_GT,
    FEDN__OP_LT,
    FEDN__OP_GTE,
    FEDN__OP_LTE,
    FEDN__OP_IN
};

typedef struct fedn__filter {
    const char *field; /* dotted: "round_config.session_id" */
    int32_t op;
    const json_t *value; /* string, number, boolean or null (null: missing); IN: array of strings
                            or of numbers and booleans, not empty */
} fedn__filter;

typedef struct fedn__query {
    const fedn__filter *filters;
    uint32_t filter_count;
    const char *sort_key; /* NULL: committed_at; ties are broken by order of insertion */
    int32_t ascending;
    uint64_t limit; /* 0: none */
    uint64_t skip;
} fedn__query;

/* A change; a put replaces the whole document. */
typedef struct fedn__change {
    int32_t kind;
    const char *id;
    const json_t *document; /* NULL: delete (of an absent record: nothing) */
} fedn__change;

typedef struct fedn__store fedn__store;

/* "mem:" or "sqlite:<file>" (WAL). FEDN_ERR_STATE: another process has the file open;
 * FEDN_ERR_STORE; FEDN_ERR_INVALID the URL (the text lists the known schemes). */
fedn_status fedn__store_open(const char *url, fedn__store **ret, fedn_error *err);
void fedn__store_close(fedn__store *store); /* NULL allowed */

/* All changes in one transaction, durable when it returns; none of them on failure. */
fedn_status fedn__store_apply(fedn__store *store, const fedn__change *changes, uint32_t count,
                              fedn_error *err);
/* FEDN_ERR_NOT_FOUND. Caller json_decref()s. */
fedn_status fedn__store_get(fedn__store *store, int32_t kind, const char *id, json_t **ret,
                            fedn_error *err);
/* *ret: array of documents (may be NULL to only count); *ret_count: all that match, whatever limit
 * and skip (may be NULL). `query` NULL: all. */
fedn_status fedn__store_list(fedn__store *store, int32_t kind, const fedn__query *query,
                             json_t **ret, uint64_t *ret_count, fedn_error *err);

/* The function table that a backend fills in. */
typedef struct fedn__store_backend {
    const char *scheme; /* "sqlite" */
    fedn_status (*open)(const char *rest, void **ret_self, fedn_error *err);
    void (*close)(void *self);
    fedn_status (*apply)(void *self, const fedn__change *changes, uint32_t count, fedn_error *err);
    fedn_status (*get)(void *self, int32_t kind, const char *id, json_t **ret, fedn_error *err);
    fedn_status (*list)(void *self, int32_t kind, const fedn__query *query, json_t **ret,
                        uint64_t *ret_count, fedn_error *err);
} fedn__store_backend;

extern const fedn__store_backend fedn__store_mem, fedn__store_sqlite;

#endif
