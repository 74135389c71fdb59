/* SPDX-License-Identifier: Apache-2.0
 * A client and a combiner behind TLS: whom it trusts. Skipped where there is no openssl tool, or
 * port 443, which alone means TLS, is not to be had. */
#include "certificate.h"
#include "client_rig.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char *dir;
static char *pem;
static char *key;
static char address[INET_ADDRSTRLEN]; /* of loopback, for this process alone */

static void start(rig *r, const char *authority)
{
    char value[512];

    rig_init(r);
    snprintf(value, sizeof value, "%s:443", address);
    rig_set(r, "client.combiner", value);
    snprintf(value, sizeof value, "%s/%s.pem", dir, authority);
    rig_set(r, "client.tls_ca", value);
    rig_start(r);
}

static void a_combiner_is_trusted_by_the_authority_that_is_named(void **state)
{
    fake_combiner *combiner = fake_combiner_new_tls(address, 443, pem, key);
    rig r;

    (void)state;
    start(&r, "combiner");
    assert_string_equal(rig_text(fake_combiner_wait(combiner, "TaskStream", 0), "sender.client_id"),
                        "client-7");
    rig_done(&r);
    fake_combiner_free(combiner);
}

static void a_combiner_of_another_authority_is_told_nothing(void **state)
{
    fake_combiner *combiner = fake_combiner_new_tls(address, 443, pem, key);
    char words[64];
    rig r;

    (void)state;
    start(&r, "other");
    snprintf(words, sizeof words, "%s:443 handshake", address);
    rig_wait_log(&r, words);
    rig_done(&r);
    assert_int_equal(fake_combiner_count(combiner, "TaskStream"), 0);
    assert_int_equal(fake_combiner_count(combiner, "SendHeartbeat"), 0);
    fake_combiner_free(combiner);
}

static int may_listen(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(443)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, address, &at.sin_addr);
    int good = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return good;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_combiner_is_trusted_by_the_authority_that_is_named),
        cmocka_unit_test(a_combiner_of_another_authority_is_told_nothing),
    };
    int failed = 77;

    dir = test_scratch();
    snprintf(address, sizeof address, "127.%d.%d.1", 1 + (int)getpid() / 250 % 250,
             (int)getpid() % 250);
    if (!may_listen()) {
        printf("SKIPPED: %s:443 is not to be had\n", address);
    } else if (!certificate_make(dir, "combiner", address) ||
               !certificate_make(dir, "other", address)) {
        printf("SKIPPED: there is no openssl tool\n");
    } else {
        pem = certificate_read(dir, "combiner", "pem");
        key = certificate_read(dir, "combiner", "key");
        failed = cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
    }
    free(pem);
    free(key);
    test_scratch_done(dir);
    return failed;
}
