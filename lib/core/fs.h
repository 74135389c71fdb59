/* SPDX-License-Identifier: Apache-2.0
 * Files: whole or not at all. */
#ifndef FEDN__CORE_FS_H
#define FEDN__CORE_FS_H

#include <fedn/error.h>

fedn_status fedn__fs_mkdirs(const char *path, fedn_error *err); /* 0700; existing is fine */
/* "<dir>/<name>"; caller frees with fedn__free(); NULL out of memory. */
char *fedn__fs_join(const char *dir, const char *name);
/* A new directory "<parent>/<prefix>XXXXXX"; caller frees the path. parent NULL: TMPDIR or /tmp. */
fedn_status fedn__fs_temp_dir(const char *parent, const char *prefix, char **ret, fedn_error *err);
fedn_status fedn__fs_remove_tree(const char *path, fedn_error *err); /* absent is fine */
fedn_status fedn__fs_unlink(const char *path, fedn_error *err);      /* absent is fine */

/* Opens "<path>.part" anew for writing. */
fedn_status fedn__fs_create(const char *path, int *ret_fd, fedn_error *err);
fedn_status fedn__fs_write(int fd, const void *data, uint64_t bytes, fedn_error *err);
fedn_status fedn__fs_write_at(int fd, uint64_t offset, const void *data, uint64_t bytes,
                              fedn_error *err);
fedn_status fedn__fs_sync(int fd, const char *path, fedn_error *err);
/* fsync (if durable), close, rename "<path>.part" over "<path>", fsync the directory (if durable).
 * The descriptor is closed whatever happens; on failure the part is removed. */
fedn_status fedn__fs_commit(int fd, const char *path, int32_t durable, fedn_error *err);
void fedn__fs_abandon(int fd, const char *path); /* closes and removes the part */

/* Moves a file into place durably: fsync, rename (copy across file systems), fsync directory. */
fedn_status fedn__fs_move(const char *from, const char *to, int32_t durable, fedn_error *err);
fedn_status fedn__fs_copy(const char *from, const char *to, fedn_error *err);
/* Whole small file; caller frees; NUL behind it. FEDN_ERR_LIMIT over `limit`. */
fedn_status fedn__fs_read(const char *path, uint64_t limit, char **ret, uint64_t *ret_bytes,
                          fedn_error *err);
fedn_status fedn__fs_write_file(const char *path, const void *data, uint64_t bytes, int32_t durable,
                                fedn_error *err);
fedn_status fedn__fs_size(const char *path, uint64_t *ret, fedn_error *err);
/* Exclusive lock of "<dir>/lock", held by the descriptor until it is closed or the process ends.
 * FEDN_ERR_STATE: another process holds it (the text names its pid). */
fedn_status fedn__fs_lock(const char *dir, int *ret_fd, fedn_error *err);

#endif
