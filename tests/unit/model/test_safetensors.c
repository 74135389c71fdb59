/* SPDX-License-Identifier: Apache-2.0
 * .safetensors both ways, and what is refused. */
#include "samples.h"

#include "core/limits.h"
#include <stdlib.h>

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    fedn_model *model = sample_model();
    fedn_model *back = NULL;
    fedn_error err;
    uint64_t bytes = 0;
    uint8_t *data = sample_encoded(model, "safetensors", &bytes);

    assert_int_equal((8 + data[0] + 256 * data[1]) % 64, 0); /* elements begin aligned */
    assert_ok(fedn_model_decode(data, bytes, NULL, &back, &err), &err);
    assert_same_model(model, back);
    fedn_model_unref(back);
    fedn_free(data);
    fedn_model_unref(model);
}

static void names_that_need_quoting_come_back(void **state)
{
    (void)state;
    static const char *const names[] = {"a\"b", "c\\d", "größe", "{\"x\":[", "e/f"};
    fedn_model *model = NULL;
    fedn_model *back = NULL;
    fedn_error err;
    uint64_t bytes = 0;

    assert_ok(fedn_model_new(&model, &err), &err);
    for (size_t i = 0; i < 5; i++)
        assert_ok(fedn_model_add(model, names[i], FEDN_DTYPE_I8, 0, NULL, NULL, NULL, &err), &err);
    uint8_t *data = sample_encoded(model, "safetensors", &bytes);
    assert_ok(fedn_model_decode(data, bytes, NULL, &back, &err), &err);
    assert_same_model(model, back);
    fedn_model_unref(back);
    fedn_model_unref(model);
    fedn_free(data);
}

static void a_tensor_named_metadata_cannot_be_written(void **state)
{
    (void)state;
    fedn_model *model = NULL;
    fedn_error err;
    uint64_t bytes = 0;
    void *data = NULL;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "__metadata__", FEDN_DTYPE_I8, 0, NULL, NULL, NULL, &err),
              &err);
    assert_fails(fedn_model_encode(model, "safetensors", &data, &bytes, &err), FEDN_ERR_UNSUPPORTED,
                 &err, "metadata");
    assert_null(data);
    fedn_model_unref(model);
}

static void tensors_come_in_the_order_of_their_elements(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *names[3];
    } rows[] = {
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"e\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[2,2]}}",
         {"a", "e", "b"}},
        {" {\"10\" : {\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]} , \n"
         "\"2\" :{\"shape\":[],\"dtype\":\"U8\",\"data_offsets\":[3,4]},"
         "\"__metadata__\":{\"a\":\"}]\\\"\"},"
         "\"7\":{\"dtype\":\"BOOL\",\"shape\":[1,1],\"data_offsets\":[2,3]}}  \n ",
         {"2", "7", "10"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fedn_model *back = NULL;
        fedn_error err;
        uint64_t bytes = 0;
        uint8_t *data = sample_safetensors(rows[i].header + i, 4, &bytes);
        assert_ok(fedn_model_decode(data, bytes, "safetensors", &back, &err), &err);
        assert_int_equal(fedn_model_count(back), 3);
        for (uint32_t n = 0; n < 3; n++)
            assert_string_equal(fedn_model_name(back, n), rows[i].names[n]);
        fedn_model_unref(back);
        fedn_free(data);
    }
}

#define T(name, type, shape, offsets)                                                              \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"

static void every_lie_in_the_header_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        fedn_status status;
        const char *words;
    } rows[] = {
        /* each before 8 bytes of elements */
        {"{" T("w", "F32", "2", "0,8") "}", FEDN_OK, ""},
        {"{" T("w", "F32", "2", "0,8") ",\"__metadata__\":{}}", FEDN_OK, ""},
        {"[]", FEDN_ERR_FORMAT, "begin"},
        {"{}", FEDN_ERR_FORMAT, "8 end"},
        {"{" T("w", "F32", "2", "0,8"), FEDN_ERR_FORMAT, "end"},
        {"{" T("w", "F32", "2", "0,8") ",", FEDN_ERR_FORMAT, "end"},
        {"{" T("w", "F32", "2", "0,8") ",}", FEDN_ERR_FORMAT, "empty"},
        {"{" T("w", "F32", "2", "0,8") "}}", FEDN_ERR_FORMAT, "followed"},
        {"{" T("w", "F32", "2", "0,8") "} x", FEDN_ERR_FORMAT, "followed"},
        {"{" T("w", "F32", "2", "0,8") ",7}", FEDN_ERR_FORMAT, "JSON"},
        {"{\"w\":[}", FEDN_ERR_FORMAT, "end"},
        {"{\"w\":]}", FEDN_ERR_FORMAT, "JSON"},
        {"{\"w", FEDN_ERR_FORMAT, "end"},
        {"{\"w\\", FEDN_ERR_FORMAT, "end"},
        {"{\"w\":1}", FEDN_ERR_FORMAT, "\"w\" dtype"},
        {"{\"w\":{}}", FEDN_ERR_FORMAT, "\"w\" dtype"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", FEDN_ERR_FORMAT, "\"w\" offsets"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}",
         FEDN_ERR_FORMAT, "\"w\""},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"shape\":[2]}}",
         FEDN_ERR_FORMAT, "JSON"},
        {"{" T("w", "F32", "2", "0,8") "," T("w", "F32", "0", "8,8") "}", FEDN_ERR_FORMAT,
         "\"w\" twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}," T("w", "F32", "2", "0,8") "}", FEDN_ERR_FORMAT,
         "metadata twice"},
        {"{\"__metadata__\":3," T("w", "F32", "2", "0,8") "}", FEDN_ERR_FORMAT, "metadata"},
        {"{" T("w", "F8_E4M3", "8", "0,8") "}", FEDN_ERR_UNSUPPORTED, "\"w\" E4M3"},
        {"{" T("w", "f32", "2", "0,8") "}", FEDN_ERR_UNSUPPORTED, "f32"},
        {"{" T("w", "F32", "3", "0,8") "}", FEDN_ERR_FORMAT, "\"w\" 12"},
        {"{" T("w", "F32", "2", "8,0") "}", FEDN_ERR_FORMAT, "\"w\" 8 0"},
        {"{" T("w", "F32", "3", "0,12") "}", FEDN_ERR_FORMAT, "\"w\" 12"},
        {"{" T("w", "F32", "2", "1,9") "}", FEDN_ERR_FORMAT, "\"w\" 9"},
        {"{" T("w", "F32", "1", "4,8") "}", FEDN_ERR_FORMAT, "\"w\" 4"},
        {"{" T("w", "F32", "1", "0,4") "}", FEDN_ERR_FORMAT, "4 end"},
        {"{" T("a", "F32", "2", "0,8") "," T("b", "F32", "1", "4,8") "}", FEDN_ERR_FORMAT,
         "\"b\" 4 8"},
        {"{" T("a", "F32", "2", "0,8") "," T("b", "F32", "2", "0,8") "}", FEDN_ERR_FORMAT,
         "\"b\" 0 8"},
        {"{" T("w", "F32", "-2", "0,8") "}", FEDN_ERR_FORMAT, "\"w\" shape"},
        {"{" T("w", "F32", "2.0", "0,8") "}", FEDN_ERR_FORMAT, "\"w\" shape"},
        {"{" T("w", "F32", "2", "0,8.0") "}", FEDN_ERR_FORMAT, "\"w\""},
        {"{" T("w", "F32", "2", "0,8,8") "}", FEDN_ERR_FORMAT, "\"w\""},
        {"{" T("w", "F32", "4611686018427387904,4611686018427387904", "0,8") "}", FEDN_ERR_LIMIT,
         "\"w\" elements"},
        {"{" T("w", "F32", "99999999999999999999", "0,8") "}", FEDN_ERR_FORMAT, "JSON"},
        {"{" T("w", "U8", "8,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
               "0,8") "}",
         FEDN_ERR_LIMIT, "\"w\" 32"},
        {"{" T("../w", "F32", "2", "0,8") "}", FEDN_ERR_FORMAT, "../w path"},
        {"{" T("/w", "F32", "2", "0,8") "}", FEDN_ERR_FORMAT, "/w path"},
        {"{" T("", "F32", "2", "0,8") "}", FEDN_ERR_FORMAT, "name"},
        {"{" T("a\\nb", "F32", "2", "0,8") "}", FEDN_ERR_FORMAT, "name"},
        {"{" T("\\u0000", "F32", "2", "0,8") "}", FEDN_ERR_FORMAT, "JSON"},
        {"{\"\xff\":1}", FEDN_ERR_FORMAT, "UTF-8"},
        {"{\"w\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", FEDN_ERR_LIMIT, "32"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fedn_error err;
        fedn_model *back = NULL;
        uint64_t bytes = 0;
        uint8_t *data = sample_safetensors(rows[i].header, 8, &bytes);
        fedn_status rc = fedn_model_decode(data, bytes, "safetensors", &back, &err);
        if (rc != rows[i].status)
            fail_msg("%s: got %d (%s)", rows[i].header, (int)rc, rc ? err.message : "read");
        if (rc != FEDN_OK)
            test_assert_words(err.message, rows[i].words);
        fedn_model_unref(back);
        fedn_free(data);
    }
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    fedn_model *model = sample_small();
    fedn_model *back = NULL;
    fedn_error err;
    uint64_t bytes = 0;
    uint8_t *data = sample_encoded(model, "safetensors", &bytes);

    for (uint64_t cut = 0; cut < bytes; cut++) {
        uint8_t *piece = malloc(cut ? cut : 1);
        memcpy(piece, data, cut);
        assert_fails(fedn_model_decode(piece, cut, "safetensors", &back, &err), FEDN_ERR_FORMAT,
                     &err, "safetensors");
        free(piece);
    }
    fedn_free(data);
    fedn_model_unref(model);
}

static void lengths_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t length;
        fedn_status status;
        const char *words;
    } rows[] = {
        {0, FEDN_ERR_FORMAT, "0"},
        {1, FEDN_ERR_FORMAT, "1"},
        {57, FEDN_ERR_FORMAT, "57"},
        {FEDN__LIMIT_SAFETENSORS_HEADER + 1, FEDN_ERR_LIMIT, "104857601 104857600"},
        {UINT64_MAX, FEDN_ERR_LIMIT, "18446744073709551615 104857600"},
        {UINT64_MAX - 7, FEDN_ERR_LIMIT, "104857600"},
    };
    fedn_model *back = NULL;
    fedn_error err;
    uint64_t bytes = 0;
    uint8_t *data = sample_safetensors("{" T("w", "U8", "0", "0,0") "}", 0, &bytes);

    assert_int_equal(bytes, 8 + 53);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(data, &rows[i].length, 8);
        assert_fails(fedn_model_decode(data, bytes, "safetensors", &back, &err), rows[i].status,
                     &err, rows[i].words);
    }
    fedn_free(data);
}

static void one_member_of_the_header_is_bounded(void **state)
{
    (void)state;
    const uint64_t length = FEDN__LIMIT_HEADER_MEMBER + 64;
    char *header = malloc(length + 1);
    fedn_model *back = NULL;
    fedn_error err;
    uint64_t bytes = 0;

    memset(header, ' ', length);
    header[0] = '{';
    memcpy(header + 1, "\"w\":", 4);
    header[length - 1] = '}';
    header[length] = 0;
    uint8_t *data = sample_safetensors(header, 0, &bytes);
    assert_fails(fedn_model_decode(data, bytes, "safetensors", &back, &err), FEDN_ERR_LIMIT, &err,
                 "member 1048576");
    fedn_free(data);
    free(header);
}

static fedn_status there_and_back(void *arg)
{
    fedn_model *back = NULL;
    void *data = NULL;
    uint64_t bytes = 0;

    fedn_status rc = fedn_model_encode(arg, "safetensors", &data, &bytes, NULL);
    if (rc == FEDN_OK)
        rc = fedn_model_decode(data, bytes, NULL, &back, NULL);
    fedn_model_unref(back);
    fedn_free(data);
    return rc;
}

static void each_failed_allocation_is_survived(void **state)
{
    (void)state;
    fedn_model *model = sample_model();
    test_fail_each_allocation(there_and_back, model);
    fedn_model_unref(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(names_that_need_quoting_come_back),
        cmocka_unit_test(a_tensor_named_metadata_cannot_be_written),
        cmocka_unit_test(tensors_come_in_the_order_of_their_elements),
        cmocka_unit_test(every_lie_in_the_header_is_refused),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(one_member_of_the_header_is_bounded),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
