/* SPDX-License-Identifier: Apache-2.0
 * A listener whose process runs out of descriptors: it refuses in time and takes calls again. */
#include "rig.h"

#include "core/clock.h"
#include "rpc/guard.h"
#include "rpc/runtime.h"
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A quarter of the limit is in reserve. The crowd comes in steps: one, and what half of the reserve
 * may hold unaccepted, fit into it. */
enum { LIMIT = 256, CROWD = 260, STEP = 10, LOOK_MS = 20 };

/* What the crowd is told: how many connections to have open to a port. */
typedef struct test_order {
    int32_t port;
    int32_t count;
} test_order;

static int orders[2];
static int reports[2];

/* Says hello as a client of HTTP/2 does, and waits for the answer. */
static int crowd_join(const test_order *order)
{
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)order->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct pollfd wait = {.fd = fd, .events = POLLOUT};

    (void)connect(fd, (struct sockaddr *)&address, sizeof address);
    if (poll(&wait, 1, 20) == 1) {
        (void)send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL);
        wait.events = POLLIN;
        (void)poll(&wait, 1, 20);
    }
    return fd;
}

/* Another process, so that its descriptors are not the listener's. */
static void crowd(void)
{
    static int open[CROWD];
    int count = 0;
    test_order order;

    while (read(orders[0], &order, sizeof order) == sizeof order) {
        while (count > order.count)
            close(open[--count]);
        while (count < order.count)
            open[count++] = crowd_join(&order);
        if (write(reports[1], &count, sizeof count) != sizeof count)
            break;
    }
    _exit(0);
}

static void crowd_is(test_rig *rig, int32_t count)
{
    test_order order = {fedn__server_port(rig->server), count};
    int done = -1;

    assert_int_equal(write(orders[1], &order, sizeof order), sizeof order);
    assert_int_equal(read(reports[0], &done, sizeof done), sizeof done);
    assert_int_equal(done, count);
}

static void answer(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    Fedn__Response response = FEDN__RESPONSE__INIT;

    (void)service;
    (void)request;
    fedn__call_reply(call, &response.base);
}

static void open_stream(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    (void)service;
    (void)request;
    fedn__call_finish(call, FEDN__RPC_OUT_OF_RANGE, "opened");
}

static const fedn__method methods[] = {
    {.path = "/t.T/Beat",
     .kind = FEDN__UNARY,
     .request = &fedn__heartbeat__descriptor,
     .open = answer},
    {.path = "/t.T/Stream",
     .kind = FEDN__STREAM_OUT,
     .request = &fedn__heartbeat__descriptor,
     .open = open_stream},
};

/* Until the listener's process has so many descriptors less or more; by its own count. */
static void wait_for_descriptors(uint64_t from, uint64_t to)
{
    for (int i = 0; i < 2000; i++) {
        uint64_t count = fedn__guard_descriptors();
        if (count >= from && count <= to)
            return;
        (void)poll(NULL, 0, 10);
    }
    fail_msg("%llu descriptors", (unsigned long long)fedn__guard_descriptors());
}

/* The guard looks every 10 to 15 ms at this limit: until it has, by the turns of its loop. A call
 * that begins when the time is over turns the loop, which then sees the timer before the next. */
static void wait_for_a_look(test_rig *rig)
{
    int64_t due_ms = fedn__clock_ms() + LOOK_MS;

    for (int after = 0; after < 2; after += fedn__clock_ms() >= due_ms)
        assert_int_equal(rig_beat(rig, "/t.T/Beat", "c1", 5000).rpc, FEDN__RPC_OK);
}

static void clients_that_greet_are_kept_out_in_time(void **state)
{
    test_rig *rig = *state;

    for (int32_t count = STEP; count <= CROWD; count += STEP) {
        crowd_is(rig, count);
        wait_for_a_look(rig);
    }
    wait_for_descriptors(LIMIT / 2, LIMIT - 8);
    assert_int_equal(fedn__runtime_accept_failures(), 0);
    /* who is in goes on calling, but gets no new streams */
    assert_int_equal(rig_beat(rig, "/t.T/Beat", "c1", 5000).rpc, FEDN__RPC_OK);
    rig_answer refused = rig_beat(rig, "/t.T/Stream", "c1", 5000);
    assert_int_equal(refused.rpc, FEDN__RPC_UNAVAILABLE);
    test_assert_words(refused.details, "descriptors");
    crowd_is(rig, 0);
    wait_for_descriptors(0, LIMIT / 2);
    assert_int_equal(fedn__runtime_accept_failures(), 0);
    rig_hang_up(rig);
    rig_dial(rig);
    rig_answer back = {.rpc = FEDN__RPC_UNAVAILABLE};
    for (int i = 0; i < 20 && back.rpc == FEDN__RPC_UNAVAILABLE; i++)
        back = rig_beat(rig, "/t.T/Stream", "c1", 5000);
    assert_int_equal(back.rpc, FEDN__RPC_OUT_OF_RANGE);
}

static void descriptors_are_counted(void **state)
{
    uint64_t before = fedn__guard_descriptors();
    int fd = dup(0);

    (void)state;
    assert_int_equal(fedn__guard_descriptors(), before + 1);
    close(fd);
    assert_int_equal(fedn__guard_descriptors(), before);
}

static int setup(void **state)
{
    test_rig *rig = calloc(1, sizeof *rig);

    rig_start(rig, methods, 2);
    (void)rig_beat(rig, "/t.T/Beat", "c1", 5000);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_stop(*state);
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_counted),
        cmocka_unit_test_setup_teardown(clients_that_greet_are_kept_out_in_time, setup, teardown),
    };
    struct rlimit limit;

    /* before gRPC has a thread */
    if (pipe(orders) != 0 || pipe(reports) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        close(orders[1]);
        crowd();
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = LIMIT;
    setrlimit(RLIMIT_NOFILE, &limit);
    int failed =
        cmocka_run_group_tests_name("rpc guard", tests, test_count_setup, test_count_teardown);
    close(orders[1]);
    waitpid(child, NULL, 0);
    return failed;
}
