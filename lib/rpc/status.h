/* SPDX-License-Identifier: Apache-2.0
 * gRPC status numbers for folders that see no gRPC header, and their translation. */
#ifndef FEDN__RPC_STATUS_H
#define FEDN__RPC_STATUS_H

#include <fedn/error.h>

enum {
    FEDN__RPC_OK = 0,
    FEDN__RPC_CANCELLED = 1,
    FEDN__RPC_UNKNOWN = 2,
    FEDN__RPC_INVALID_ARGUMENT = 3,
    FEDN__RPC_DEADLINE_EXCEEDED = 4,
    FEDN__RPC_NOT_FOUND = 5,
    FEDN__RPC_ALREADY_EXISTS = 6,
    FEDN__RPC_PERMISSION_DENIED = 7,
    FEDN__RPC_RESOURCE_EXHAUSTED = 8,
    FEDN__RPC_FAILED_PRECONDITION = 9,
    FEDN__RPC_ABORTED = 10,
    FEDN__RPC_OUT_OF_RANGE = 11,
    FEDN__RPC_UNIMPLEMENTED = 12,
    FEDN__RPC_INTERNAL = 13,
    FEDN__RPC_UNAVAILABLE = 14,
    FEDN__RPC_DATA_LOSS = 15,
    FEDN__RPC_UNAUTHENTICATED = 16
};

const char *fedn__rpc_name(int32_t rpc);           /* "UNAVAILABLE" */
fedn_status fedn__rpc_to_status(int32_t rpc);      /* as a client sees it */
int32_t fedn__rpc_from_status(fedn_status status); /* as a server answers */
/* Fills err from a finished call: "<what>: UNAVAILABLE: <details>", err->detail = rpc. */
fedn_status fedn__rpc_error(fedn_error *err, const char *what, int32_t rpc, const char *details);

#endif
