/* SPDX-License-Identifier: Apache-2.0
 * The reducer's compute package, brought here: downloaded, checked, unpacked. */
#include "remote_package.h"

#include "api.h"
#include "daemon.h"
#include "entry_point.h"
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, SUM_BYTES = 80, PAUSE_S = 3 };

typedef struct fetching {
    const cli_line *cli;
    fedn_control *control;
    char archive[PATH_BYTES];
    char dir[PATH_BYTES];
    char kept[PATH_BYTES];   /* file with the checksum of what is in `dir` */
    char offered[SUM_BYTES]; /* by the reducer; "" if it does not say */
} fetching;

static const char *property(const fetching *self, const char *name)
{
    return fedn_config_get(self->cli->config, name);
}

/* As the client itself has it: without a scheme http to this machine, https to any other. */
static int32_t needs_https(const char *api_url)
{
    static const char *const plain[] = {"http://", "https://", "localhost", "127.", "[::1]"};

    for (uint32_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strncmp(api_url, plain[i], strlen(plain[i])) == 0)
            return 0;
    return 1;
}

static fedn_status open_control(fetching *self, fedn_error *err)
{
    const char *api_url = property(self, "client.api_url");
    char url[PATH_BYTES + 8];
    fedn_config *config = NULL;
    fedn_status rc = fedn_config_new(&config, err);

    snprintf(url, sizeof url, "%s%s", needs_https(api_url) ? "https://" : "", api_url);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "control.url", url, err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "control.token", property(self, "client.token"), err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "control.tls_ca", property(self, "client.tls_ca"), err);
    if (rc == FEDN_OK)
        rc = fedn_control_new(config, &self->control, err);
    fedn_config_free(config);
    return rc;
}

static int32_t is_kept(const fetching *self, const char *sum)
{
    char text[SUM_BYTES] = "";
    FILE *file = fopen(self->kept, "r");

    if (file && !fgets(text, sizeof text, file))
        text[0] = 0;
    if (file)
        fclose(file);
    return *sum && strcasecmp(text, sum) == 0 && access(self->dir, R_OK | X_OK) == 0;
}

static fedn_status keep(const fetching *self, const char *sum, fedn_error *err)
{
    FILE *file = fopen(self->kept, "w");
    int failed = !file || fputs(sum, file) < 0;

    if (file && fclose(file) != 0)
        failed = 1;
    return failed ? cli_error(err, FEDN_ERR_IO, "cannot write %s", self->kept) : FEDN_OK;
}

/* A FEDn controller does not always find the file that it gives a checksum of: then it says none.
 */
static fedn_status ask_checksum(fetching *self, fedn_error *err)
{
    json_t *answer = NULL;
    fedn_status rc = api_call(self->control, "GET", "packages/checksum", NULL, &answer, err);

    if (rc == FEDN_OK)
        snprintf(self->offered, sizeof self->offered, "%s", api_text(answer, "checksum"));
    json_decref(answer);
    return rc == FEDN_ERR_NOT_FOUND ? FEDN_OK : rc;
}

static fedn_status check_sum(const fetching *self, const char *sum, fedn_error *err)
{
    const char *wanted = property(self, "client.package_checksum");

    if (*self->offered && strcasecmp(self->offered, sum) != 0)
        return cli_error(err, FEDN_ERR_DENIED,
                         "the package has SHA-256 %s, and the reducer says %s: not run", sum,
                         self->offered);
    if (*wanted && strcasecmp(wanted, sum) != 0)
        return cli_error(err, FEDN_ERR_DENIED,
                         "the package has SHA-256 %s, and client.package_checksum is %s: not run",
                         sum, wanted);
    return FEDN_OK;
}

static fedn_status unpack(const fetching *self, const char *sum, fedn_error *err)
{
    const char *args[] = {self->kept, self->dir, property(self, "client.state_dir"), NULL};

    /* the mark first: what is half there has none; and what a kill has left */
    fedn_status rc = entry_point_script(
        "rm -f -- \"$1\" && rm -rf -- \"$2\" \"$3\"/package-part-??????", args, err);
    if (rc == FEDN_OK)
        rc = fedn_package_extract(self->archive, self->dir, err);
    return rc == FEDN_OK ? keep(self, sum, err) : rc;
}

static fedn_status fetch_once(fetching *self, fedn_error *err)
{
    char *sum = NULL;
    fedn_status rc = ask_checksum(self, err);

    if (rc != FEDN_OK)
        return rc;
    if (is_kept(self, self->offered))
        return check_sum(self, self->offered, err);
    rc = fedn_control_package_pull(self->control, self->archive, NULL, NULL, err);
    if (rc != FEDN_OK)
        return rc;
    rc = fedn_package_checksum(self->archive, &sum, err);
    if (rc == FEDN_OK)
        rc = check_sum(self, sum, err);
    if (rc == FEDN_OK && !is_kept(self, sum))
        rc = unpack(self, sum, err);
    if (rc == FEDN_OK)
        daemon_log(FEDN_LOG_INFO, "package", sum, NULL);
    unlink(self->archive);
    fedn_free(sum);
    return rc;
}

/* None yet, or nobody there: both may come. */
static fedn_status fetch(fetching *self, fedn_error *err)
{
    const struct timespec pause = {PAUSE_S, 0};
    int32_t told = 0;
    int32_t denied = 0;

    for (;;) {
        fedn_status rc = fetch_once(self, err);
        if (rc == FEDN_ERR_DENIED && !denied++)
            continue; /* another one may have become active between its checksum and its bytes */
        if (rc != FEDN_ERR_NOT_FOUND && rc != FEDN_ERR_UNAVAILABLE && rc != FEDN_ERR_TIMEOUT)
            return rc;
        if (!told++)
            daemon_log(FEDN_LOG_WARNING, "package", err->message, NULL);
        nanosleep(&pause, NULL);
    }
}

fedn_status remote_package_fetch(const cli_line *cli, char *dir, size_t bytes, fedn_error *err)
{
    fetching self = {.cli = cli};
    const char *state_dir = fedn_config_get(cli->config, "client.state_dir");
    fedn_status rc = FEDN_OK;

    if (!cli_is_true(fedn_config_get(cli->config, "client.allow_remote_code")))
        return cli_error(err, FEDN_ERR_INVALID,
                         "--package remote runs programs of the network on this machine: "
                         "--allow-remote-code if that is meant");
    if (!*state_dir || strlen(state_dir) > PATH_BYTES - 64)
        return cli_error(err, FEDN_ERR_INVALID,
                         "--package remote needs --state-dir DIR, where the package is kept");
    snprintf(self.archive, sizeof self.archive, "%s/package.tgz", state_dir);
    snprintf(self.dir, sizeof self.dir, "%s/package", state_dir);
    snprintf(self.kept, sizeof self.kept, "%s/package.checksum", state_dir);
    rc = open_control(&self, err);
    if (rc == FEDN_OK)
        rc = fetch(&self, err);
    if (rc == FEDN_OK && snprintf(dir, bytes, "%s", self.dir) >= (int)bytes)
        rc = cli_error(err, FEDN_ERR_LIMIT, "the path %s is too long", self.dir);
    fedn_control_free(self.control);
    return rc;
}
