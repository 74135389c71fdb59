/* SPDX-License-Identifier: Apache-2.0
 * Compute packages: the programs of a network's tasks, as FEDn packs them. Nothing here runs any.
 */
#ifndef FEDN_PACKAGE_H
#define FEDN_PACKAGE_H

#include <fedn/error.h>

typedef struct fedn_package fedn_package;

FEDN_BEGIN_DECLS

/**
 * Pack a folder that has a fedn.yaml into a gzip tar. What a line of its .fednignore matches stays
 * out, so do virtual environments; links to files become files. The same files give the same bytes.
 *
 * @param path       the archive; written whole or not at all
 * @param ret_files  how many files are in it; may be NULL
 * @return FEDN_OK; FEDN_ERR_NOT_FOUND no fedn.yaml; FEDN_ERR_FORMAT, FEDN_ERR_LIMIT nobody could
 *         unpack it: see fedn_package_extract(); FEDN_ERR_IO; FEDN_ERR_NOMEM
 * Owns: nothing changes hands.   Thread: any.   Blocks: on the disk.   Since: 0.1
 */
FEDN_API fedn_status fedn_package_create(const char *dir, const char *path, uint64_t *ret_files,
                                         fedn_error *err);

/**
 * Unpack an archive into a new directory: the whole of it, or nothing and no directory. Only files
 * and directories with relative paths, within bounds; they get modes 0700 and 0600.
 *
 * @param dir  does not exist yet
 * @return FEDN_OK; FEDN_ERR_FORMAT no tar, or a member that is not allowed (the text names it);
 *         FEDN_ERR_LIMIT; FEDN_ERR_EXISTS; FEDN_ERR_IO; FEDN_ERR_NOMEM
 * Owns: nothing changes hands.   Thread: any.   Blocks: on the disk.   Since: 0.1
 */
FEDN_API fedn_status fedn_package_extract(const char *path, const char *dir, fedn_error *err);

/**
 * SHA-256 of a file in lower-case hexadecimal, which reducers give as a package's checksum.
 *
 * Owns: caller frees *ret with fedn_free().   Thread: any.   Blocks: on the disk.   Since: 0.1
 */
FEDN_API fedn_status fedn_package_checksum(const char *path, char **ret, fedn_error *err);

/**
 * Read the fedn.yaml of an unpacked package: in `dir`, or in the first folder below that has one.
 *
 * @return FEDN_OK; FEDN_ERR_NOT_FOUND there is none, or no environment file that it names;
 *         FEDN_ERR_FORMAT (the text names file and line); FEDN_ERR_NOMEM
 * Owns: caller frees with fedn_package_free().   Thread: any.   Blocks: on the disk.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_package_open(const char *dir, fedn_package **ret,
                                                      fedn_error *err);

/** Release it; NULL is allowed. Thread: owner. Since: 0.1 */
FEDN_API void fedn_package_free(fedn_package *package);

/* What it says; texts live as long as the package. root: the absolute path of the folder of
 * fedn.yaml, where commands run. command: that of an entry point ("train"), NULL if there is none.
 * env_name: the folder of the virtual environment, one name below the root; NULL: none is wanted.
 * env_requirements: what pip installs into it, a line each, "" for nothing: first the build
 * dependencies (build 1), then the others (build 0). Thread: any. Since: 0.1 */
FEDN_API const char *fedn_package_root(const fedn_package *package);
FEDN_API const char *fedn_package_command(const fedn_package *package, const char *entry_point);
FEDN_API const char *fedn_package_env_name(const fedn_package *package);
FEDN_API const char *fedn_package_env_requirements(const fedn_package *package, int32_t build);

FEDN_END_DECLS
#endif
