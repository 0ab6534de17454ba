// SPDX-License-Identifier: Apache-2.0
#include "daemon/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/disk.h"
#include "os/random.h"
#include "proof/certificate.h"

enum { SECRET_MAX = 16 * 1024 };        // bytes of any of the files

static bool fail(const char *doing, const char *path, struct error *error) {
        enum error_code code = errno == ENOSPC || errno == EDQUOT ? ERROR_FULL : errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
        return error_set(error, code, "%s %s: %s", doing, path, strerror(errno));
}

bool keys_folder(const char *folder, struct error *error) {
        CLEANUP(free_pointer) char *path = bytes_to_text(bytes_of(folder));
        for (char *at = path + 1; ; at++) {
                char was = *at;
                if (was && was != '/')
                        continue;
                *at = '\0';
                if (mkdir(path, 0700) < 0 && errno != EEXIST)
                        return fail("make folder", path, error);
                *at = was;
                if (!was)
                        break;
        }
        struct stat about;
        if (stat(folder, &about) < 0)
                return fail("look at", folder, error);
        return S_ISDIR(about.st_mode) || error_set(error, ERROR_INVALID, "%s: not a folder", folder);
}

static bool write_all(int file, struct bytes content) {
        while (content.size > 0) {
                ssize_t written = write(file, content.data, content.size);
                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0)
                        return false;
                content.data += written;
                content.size -= (size_t)written;
        }
        return fsync(file) == 0;
}

// Whole and durable, or not there.
static bool write_once(const char *path, mode_t mode, struct bytes content, struct error *error) {
        struct buffer CLEANUP(buffer_free) text = {0};
        buffer_print(&text, "%s.new", path);
        CLEANUP(free_pointer) char *temporary = buffer_take_text(&text);
        IGNORE(unlink(temporary));              // of a start that was cut short; mostly not there
        int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (file < 0)
                return fail("make", temporary, error);
        bool written = (fchmod(file, mode) == 0 && write_all(file, content)) || fail("write", temporary, error);
        close(file);
        if (written && rename(temporary, path) < 0)
                written = fail("rename to", path, error);
        return written && disk_sync_directory(path, error);
}

// ERROR_NOT_FOUND: there is no such file.
static bool read_secret(const char *path, bool secret, struct buffer *content, struct error *error) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
                return fail("open", path, error);
        struct stat about;
        bool fine = fstat(file, &about) == 0 || fail("look at", path, error);
        if (fine && secret && (about.st_mode & 077))
                fine = error_set(error, ERROR_UNAUTHORIZED, "%s: others than its owner can use it (mode %04o): it is a secret, "
                                 "chmod 600 it", path, (unsigned)(about.st_mode & 07777));
        ssize_t got = fine ? read(file, buffer_reserve(content, SECRET_MAX), SECRET_MAX) : 0;
        if (fine && got < 0)
                fine = fail("read", path, error);
        close(file);
        content->size += got > 0 ? (size_t)got : 0;
        return fine;
}

static void make_token(struct buffer *content) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        uint8_t random[33] = {0};               // base64url (RFC 4648, 5): three bytes, four digits; the last byte stays zero
        random_fill(random_real(), random, 32);
        for (size_t i = 0; i < sizeof random; i += 3) {
                uint32_t three = (uint32_t)random[i] << 16 | (uint32_t)random[i + 1] << 8 | random[i + 2];
                for (int shift = 18; shift >= 0; shift -= 6)
                        buffer_append_byte(content, digits[three >> shift & 63]);
        }
        content->size--;
        buffer_append_byte(content, '\n');
}

static void make_key(struct buffer *content) {
        random_fill(random_real(), buffer_reserve(content, sizeof(struct hash_key)), sizeof(struct hash_key));
        content->size += sizeof(struct hash_key);
}

// Reads the secret, or makes it.
static bool secret(const char *path, void (*make)(struct buffer *content), struct buffer *content, struct error *error) {
        struct error why;
        if (read_secret(path, true, content, &why))
                return true;
        if (why.code != ERROR_NOT_FOUND) {
                *error = why;
                return false;
        }
        make(content);
        return write_once(path, 0600, buffer_bytes(content), error);
}

static bool load_key(const char *path, struct hash_key *ret_key, struct error *error) {
        struct buffer CLEANUP(buffer_free) content = {0};
        if (!secret(path, make_key, &content, error))
                return false;
        bool fits = content.size == sizeof *ret_key;
        if (fits)
                memcpy(ret_key->bytes, content.data, sizeof ret_key->bytes);
        size_t size = content.size;
        explicit_bzero(content.data, content.capacity);
        return fits || error_set(error, ERROR_CORRUPT, "%s: %zu bytes, and a key has %zu: restore the file from a backup", path, size,
                                 sizeof *ret_key);
}

static bool load_hash_key(const char *path, bool log_exists, struct hash_key *ret_key, struct error *error) {
        if (log_exists && access(path, F_OK) < 0 && errno == ENOENT)
                return error_set(error, ERROR_NOT_FOUND, "%s: the log is there and its key is not. Without it no identity of before is "
                                 "recognised: restore the file from a backup", path);
        return load_key(path, ret_key, error);
}

static bool load_token(const char *path, char ret_token[static KEYS_TOKEN_SIZE + 1], struct error *error) {
        struct buffer CLEANUP(buffer_free) content = {0};
        if (!secret(path, make_token, &content, error))
                return false;
        if (content.size != KEYS_TOKEN_SIZE + 1 || content.data[KEYS_TOKEN_SIZE] != '\n')
                return error_set(error, ERROR_CORRUPT, "%s: not a token of %d characters and a line end: remove it, and a new one is made",
                                 path, KEYS_TOKEN_SIZE);
        memcpy(ret_token, content.data, KEYS_TOKEN_SIZE);
        ret_token[KEYS_TOKEN_SIZE] = '\0';
        return true;
}

static bool load_pair(const char *private_path, const char *public_path, struct keys *keys, struct error *error) {
        struct error why;
        bool has_private = read_secret(private_path, true, &keys->private_pem, &why);
        if (!has_private && why.code != ERROR_NOT_FOUND) {
                *error = why;
                return false;
        }
        if (has_private)
                return read_secret(public_path, false, &keys->public_pem, error);
        // The public half first: a private one without it would never be completed.
        return certificate_key_new(&keys->private_pem, &keys->public_pem, error) &&
               write_once(public_path, 0644, buffer_bytes(&keys->public_pem), error) &&
               write_once(private_path, 0600, buffer_bytes(&keys->private_pem), error);
}

bool keys_load(const char *folder, bool log_exists, struct keys *ret_keys, struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct keys keys = {0};
        if (!load_hash_key(arena_print(&arena, "%s/key", folder), log_exists, &keys.hash, error) ||
            !load_key(arena_print(&arena, "%s/pseudonym.key", folder), &keys.pseudonym, error) ||
            !load_token(arena_print(&arena, "%s/token", folder), keys.token, error) ||
            !load_pair(arena_print(&arena, "%s/certificate.key", folder), arena_print(&arena, "%s/certificate.pub", folder), &keys,
                       error)) {
                keys_free(&keys);
                return false;
        }
        *ret_keys = keys;
        return true;
}

void keys_free(struct keys *keys) {
        explicit_bzero(&keys->hash, sizeof keys->hash);
        explicit_bzero(&keys->pseudonym, sizeof keys->pseudonym);
        explicit_bzero(keys->token, sizeof keys->token);
        if (keys->private_pem.data)
                explicit_bzero(keys->private_pem.data, keys->private_pem.capacity);
        buffer_free(&keys->private_pem);
        buffer_free(&keys->public_pem);
}
