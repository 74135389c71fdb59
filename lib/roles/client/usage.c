/* SPDX-License-Identifier: Apache-2.0
 * From what Linux tells in /proc; other systems have none, and then there is nothing to tell. */
#include "roles/client/usage.h"

#include <inttypes.h>
#include <stdio.h>

int32_t fedn__usage_cpu(fedn__usage *usage, double *ret)
{
    /* user, nice, system, idle, waiting for disks, two kinds of interrupts, other machines' */
    uint64_t t[8] = {0};
    fedn__usage now = {0};
    FILE *file = fopen("/proc/stat", "re");
    /* NOLINTBEGIN(cert-err34-c): the kernel writes numbers that fit */
    int fields = file ? fscanf(file,
                               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                               " %" SCNu64 " %" SCNu64 " %" SCNu64,
                               &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7])
                      : 0;
    /* NOLINTEND(cert-err34-c) */

    if (file)
        (void)fclose(file);
    for (uint32_t i = 0; i < 8; i++)
        now.all += t[i];
    now.busy = now.all - t[3] - t[4];
    if (fields < 4 || now.all <= usage->all || now.busy < usage->busy)
        return 0;
    *ret = 100.0 * (double)(now.busy - usage->busy) / (double)(now.all - usage->all);
    *usage = now;
    return 1;
}

int32_t fedn__usage_memory(double *ret)
{
    uint64_t total = 0;
    uint64_t available = 0;
    int32_t found = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");

    /* NOLINTBEGIN(cert-err34-c): as above */
    while (file && found < 2 && fgets(line, sizeof line, file))
        found += sscanf(line, "MemTotal: %" SCNu64, &total) == 1 ||
                 sscanf(line, "MemAvailable: %" SCNu64, &available) == 1;
    /* NOLINTEND(cert-err34-c) */
    if (file)
        (void)fclose(file);
    if (found < 2 || total == 0 || available > total)
        return 0;
    *ret = 100.0 * (double)(total - available) / (double)total;
    return 1;
}
