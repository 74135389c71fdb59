/* SPDX-License-Identifier: Apache-2.0
 * A cable between two peers on loopback: it counts what passes, is cut after so many bytes, or
 * loses everything from some moment on without a word. */
#ifndef FEDN__TEST_PROXY_H
#define FEDN__TEST_PROXY_H

#include <stdint.h>

typedef struct test_proxy test_proxy;

enum { PROXY_UP, PROXY_DOWN }; /* from the dialling side; to it */

test_proxy *proxy_new(int32_t port); /* to 127.0.0.1:port */
void proxy_free(test_proxy *proxy);
int32_t proxy_port(const test_proxy *proxy);
void proxy_turn(test_proxy *proxy, int32_t port); /* later connections go to another port */
/* Every connection, also a later one, is cut when it has carried so many bytes in the direction;
 * UINT64_MAX: none is. */
void proxy_cut_after(test_proxy *proxy, int32_t direction, uint64_t bytes);
/* As soon as one has carried so many, nothing passes any more, and nobody is told; 0: now. */
void proxy_freeze_after(test_proxy *proxy, int32_t direction, uint64_t bytes);
void proxy_wait_frozen(test_proxy *proxy);                  /* fails the test after 20 s */
uint64_t proxy_bytes(test_proxy *proxy, int32_t direction); /* of all connections together */

#endif
