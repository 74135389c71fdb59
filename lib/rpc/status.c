/* SPDX-License-Identifier: Apache-2.0
 * The table of gRPC statuses and its two directions; see status.h. */
#include "rpc/status.h"

#include "core/error.h"
#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    fedn_status status;
} rpc_table[] = {
    [FEDN__RPC_OK] = {"OK", FEDN_OK},
    [FEDN__RPC_CANCELLED] = {"CANCELLED", FEDN_ERR_CANCELLED},
    [FEDN__RPC_UNKNOWN] = {"UNKNOWN", FEDN_ERR_INTERNAL},
    [FEDN__RPC_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", FEDN_ERR_INVALID},
    [FEDN__RPC_DEADLINE_EXCEEDED] = {"DEADLINE_EXCEEDED", FEDN_ERR_TIMEOUT},
    [FEDN__RPC_NOT_FOUND] = {"NOT_FOUND", FEDN_ERR_NOT_FOUND},
    [FEDN__RPC_ALREADY_EXISTS] = {"ALREADY_EXISTS", FEDN_ERR_EXISTS},
    [FEDN__RPC_PERMISSION_DENIED] = {"PERMISSION_DENIED", FEDN_ERR_DENIED},
    [FEDN__RPC_RESOURCE_EXHAUSTED] = {"RESOURCE_EXHAUSTED", FEDN_ERR_LIMIT},
    [FEDN__RPC_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", FEDN_ERR_STATE},
    [FEDN__RPC_ABORTED] = {"ABORTED", FEDN_ERR_STATE},
    [FEDN__RPC_OUT_OF_RANGE] = {"OUT_OF_RANGE", FEDN_ERR_INVALID},
    [FEDN__RPC_UNIMPLEMENTED] = {"UNIMPLEMENTED", FEDN_ERR_UNSUPPORTED},
    [FEDN__RPC_INTERNAL] = {"INTERNAL", FEDN_ERR_INTERNAL},
    [FEDN__RPC_UNAVAILABLE] = {"UNAVAILABLE", FEDN_ERR_UNAVAILABLE},
    [FEDN__RPC_DATA_LOSS] = {"DATA_LOSS", FEDN_ERR_FORMAT},
    [FEDN__RPC_UNAUTHENTICATED] = {"UNAUTHENTICATED", FEDN_ERR_AUTH},
};

#define RPC_COUNT ((int32_t)(sizeof rpc_table / sizeof rpc_table[0]))

const char *fedn__rpc_name(int32_t rpc)
{
    return rpc >= 0 && rpc < RPC_COUNT ? rpc_table[rpc].name : "an unknown status";
}

fedn_status fedn__rpc_to_status(int32_t rpc)
{
    return rpc >= 0 && rpc < RPC_COUNT ? rpc_table[rpc].status : FEDN_ERR_PROTOCOL;
}

/* Where two statuses of ours share a number of gRPC's the table above cannot be read backwards. */
static const struct {
    fedn_status status;
    int32_t rpc;
} shared[] = {
    {FEDN_ERR_NOMEM, FEDN__RPC_RESOURCE_EXHAUSTED},
    {FEDN_ERR_FORMAT, FEDN__RPC_INVALID_ARGUMENT},
    {FEDN_ERR_PROTOCOL, FEDN__RPC_INVALID_ARGUMENT},
    {FEDN_ERR_IO, FEDN__RPC_UNAVAILABLE}, /* a disk that is full now: the caller tries again */
    {FEDN_ERR_STORE, FEDN__RPC_INTERNAL},
    {FEDN_ERR_CALLBACK, FEDN__RPC_INTERNAL},
    {FEDN_ERR_STATE, FEDN__RPC_FAILED_PRECONDITION},
    {FEDN_ERR_INVALID, FEDN__RPC_INVALID_ARGUMENT},
    {FEDN_ERR_INTERNAL, FEDN__RPC_INTERNAL},
};

int32_t fedn__rpc_from_status(fedn_status status)
{
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
        if (shared[i].status == status)
            return shared[i].rpc;
    for (int32_t rpc = 0; rpc < RPC_COUNT; rpc++)
        if (rpc_table[rpc].status == status)
            return rpc;
    return FEDN__RPC_INTERNAL;
}

fedn_status fedn__rpc_error(fedn_error *err, const char *what, int32_t rpc, const char *details)
{
    const char *separator = details && details[0] ? ": " : "";

    /* gRPC's words for a connection that went away under a call */
    if (rpc == FEDN__RPC_UNKNOWN && details && strcmp(details, "Stream removed") == 0)
        rpc = FEDN__RPC_UNAVAILABLE;

    return fedn__error_detail(err, fedn__rpc_to_status(rpc), rpc, "%s: %s%s%s", what,
                              fedn__rpc_name(rpc), separator, details ? details : "");
}
