/* SPDX-License-Identifier: ISC */
/*
 * rsa_fixture.h - RSA keys for tests, and for nothing else. They stand here
 * because making one takes up to a minute under valgrind.
 */
#ifndef POSTERN_TESTS_RSA_FIXTURE_H
#define POSTERN_TESTS_RSA_FIXTURE_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include "table.h"

#define RSA_768_PEM \
    "-----BEGIN PRIVATE KEY-----\n" \
    "MIIB5AIBADANBgkqhkiG9w0BAQEFAASCAc4wggHKAgEAAmEAoQhxs+Ygam4eqyzn\n" \
    "EGhGK1gh6y1LJKq6ImUtU1akwNcdk5rEkFJu/j2WZ0MqrIYKOHxLfvGSh/rYk91w\n" \
    "oBntlG80cFjcd23H17htV31PeZXfx0eiu6gIfQNPoZm/2m/HAgMBAAECYQCPNX5A\n" \
    "+fh8DkCyBHXdbo5wv6kyiA5apoZwTkB37AcLBIPmH+6NVvIkokrevKn30h9dWDUR\n" \
    "3syRYptJkEAfeL9y8z6aWjN/Q8mFGYJ9+Ad3bDFmtsZIulAV0oM1FAs9xgkCMQDT\n" \
    "p4ZsbiIv2NRHAJVyftz83XLE5g9sXuHXUaulcq99ngZNKn3KzS5tG9WGXUyCa+MC\n" \
    "MQDCxb8BkXqzXahgS+scR0bHDniGhvDKY2HPPxCMp+Q7FEBVVfkBmJAn2Ua+cScx\n" \
    "uc0CMGb3qhrYHYOffe4o54uzEjlmVm5Z6gjzw/Ung1TTDXMUTMZ/tIDT/xEPqHpc\n" \
    "q1sLtwIwA7cF15/QuU8WARAxoc5yOSW7gsVcHmAa43sOc8BYCBBw0a/cGf2w8jGg\n" \
    "uc0qtDYZAjB0+2t1lCR4orj2U+ZLWegcEMdbMF1NKSzdYCtcYbcZ5EQJ7rYkLWvH\n" \
    "AS+znmjk3KQ=\n" \
    "-----END PRIVATE KEY-----\n"

#define RSA_1024_PEM \
    "-----BEGIN PRIVATE KEY-----\n" \
    "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAOTTsoVWRL8yc1mA\n" \
    "5uu+gy2JN+fUiNKEYURSSJ6BVzhiLZvFmt6DuFZVyuXzXvQ4LMS5jp6tbdOiV/pc\n" \
    "t+3HcVY0yHUK2eqJfDtC5SQxOjqPBQxCFi54NxB+mAGHecDmXLK9EUeTURylPqCU\n" \
    "sLSeCEsFeqFN99+p3qBFC6MKebpNAgMBAAECgYA/2pNGgfxNHlbx8vZ9cnxIiLIB\n" \
    "D13e4PIDjrKVCKK+KSdxAINm9HrMHMSxxmgI3mQfwWf6/4pWNEc4pgbtY2pMjPc5\n" \
    "QcSc1fGIl6IM3wW8XaSC+971DBuyqrgCAzfokiVTmsb4FTQW3VS77KuWZXUh4IwR\n" \
    "8mDSNjeThzWK3VC6AQJBAPT6ZypCC1vA7M6dMrq2vv51+cx7aVF3st7lC045R/gQ\n" \
    "Y3V0OgQwI2zpr6O7H7h2CpXa+k1Dxp0DFibtoEYWmTUCQQDvH0TZO2QR+2IJEsx+\n" \
    "F5e85J7ibYPSE19TZi9nQE6u8YVBaxEyO+e6+BZTLYgdoHu1iBmyuPYDFvrK5Yp0\n" \
    "RFe5AkEAsBcd+N4oU/fFQG72fAfIGhirSjSba5fi1x1ElyHNfZ4qH88/tKr1i+Ae\n" \
    "BE8JagpPaZBRwyAor8v8LFc6kabE0QJBAOGeU0vUads9oYaGIkRm5ljoLbHfOx2g\n" \
    "AbWjGN8HIjaW0/ChoRwQwdj787SPpXquzYq+2+Bx/E12BTQj2LtTMKECQEN5+3Pq\n" \
    "D6bLmRmAGNzjpwzECaBRfC6Jju3xA3j1CqmA2Ohuc8vd0lJ90Uym+ekGw6M02mLR\n" \
    "hAJNtkmYPtOHQUw=\n" \
    "-----END PRIVATE KEY-----\n"

#define RSA_2048_PEM \
    "-----BEGIN PRIVATE KEY-----\n" \
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDg2Mr+W/Hu9QA2\n" \
    "2yZchaWRzZ8W0MXTO2i/bhrrlaWa2ZnThm2qURlfILeRnZHIFs1gw0v1v1zQAU8r\n" \
    "7S7Ee9ZTtYmmOtg0KZkyln5f1Mgy2+eOT5xjJ/dtJps2awPbBFR1xQBKvmVyRk6M\n" \
    "dCod8WYMfAdPmoDb9KycFeJkDg2i10HtLWZNDzIIcaUhacOCU6/f08pRk0c8Ium6\n" \
    "7CT9oSC+7Puo46gWe66P6iKHrI35zMdlf3ONvyM1jQwsL8I8K8unVFeAA3fshliG\n" \
    "5pG+6Fbs8305+7s0lDLgAcx36pIxaGdqwDOpHvZ3DxPTt29b2nqJNSBZor/HIxTH\n" \
    "cRKqFWV1AgMBAAECggEADGn2bda2Y81ju/jw2ZjeDE/ATH/YUZJCdUHnUJchiTbM\n" \
    "Ybur9a776fRMzkhXJ9HtIujaxRr8ooCqq1qGrihxgTZQ/ubZev/KSoW5PSHqr7bT\n" \
    "xlf/jWXufjiXHIkKBx8/voTS6vgvclYOuNMiZCbTeIr8fa5NFlfK6TniwZ1uWU19\n" \
    "+orzIObgR1qpBTU61pJYpCm+UHkBxTJ1RhMIMNSMX+nc+UVyNds9N4DgItPYVaWi\n" \
    "pZkZu9JOXMaXjLm4IIZd+8PXWrXEcaacqlc6UTwreszxb6Jt5bx2Z2kXfBbRGkmH\n" \
    "Jvs2oS2DyAmkmRuV7a5uMqlPw06p7doq+RRiEkaiAQKBgQD8ZBNeEZ0sfX/BLAgc\n" \
    "P00BudOOqUgTMh3KEKD09Gxypg3MXtQSdUX3Q2LPkxxUnJQGt2ztFEevxrVuyhJX\n" \
    "OKWmia9tMDt540eVWtuNN/FvK87FMpiDei/t9ezvLnX05cOeks30bS0EXhjezvie\n" \
    "xazYJqHyaUYl7+gkxEYSSWMcgQKBgQDkD+MVAF4+7c/JITSnEEjjUSe/u953NuIp\n" \
    "vrIKYfgmaV6RVyTGkWCD25SIZKhWsN/2k1ivxl6y3fit9rI3p62WhR4seMjUl/4l\n" \
    "AAso6FSNaGRasPaT24ZWbCIyUQ0740nu2Q1rVNbT0wGfrmSOywb9RQ8y/TtU0nup\n" \
    "z2B0buQe9QKBgFFjvFMjfvnv5pjWqC7jwuOBl1V0BYgbKzwULLORdr9qCR0Un3Ls\n" \
    "WomoM18Y45PtglbAI+I4Hf3zKGL3yv5RiCmyUN33Jdbikhz51b8ugS8Gg4FYFZKg\n" \
    "foBQQ/3Fj8hPp8ulL8FYy6GS7pY7TDV3LYvuuV7A0Bw/xy7EFIylGc8BAoGBAItr\n" \
    "Kucr0nGl7+CE7Cs1SVmtwx7zOoymgJwEd9LhEVJqF+XB4DmDpfz1v1eiMUbN2hxi\n" \
    "91R9cGboS54NseVUHEpoFooZTKyqPjNgU3IulYHcz3yhshuxl+49LKqV4gE6cXgS\n" \
    "OKHku2/DDrsPYWnps9wg26nQJPU1t2OX4t9K6yoBAoGBANhPAGfIHsXXyO8Onus7\n" \
    "vtDaplEAJS/ZtlVMzJyikitMrYjixF66wj4+Lz8qiqq1/OYkc9SVJP6MCCnalh2M\n" \
    "6Gl0h3ip/Vd2FkWIx6pLBHLy1cOP/28F3Qh0Ecez9JO7AijRvRHuwV/bVNhaL/sF\n" \
    "59z753zBjIlz+kBKYndlf96Q\n" \
    "-----END PRIVATE KEY-----\n"

#define RSA_4096_PEM \
    "-----BEGIN PRIVATE KEY-----\n" \
    "MIIJQwIBADANBgkqhkiG9w0BAQEFAASCCS0wggkpAgEAAoICAQDC1tvGaQhJ3I2Q\n" \
    "iBNDteyq1X4T5vnSVpJXfTnmUDyaja/4gnnDxZ5HiCU6Mwl0OwLKTLvXBEOY7xv5\n" \
    "p824Ueq4E2rXpgKU0547llC/OdhUFQ6z0xxJ7sY1c3Xkht8JwH0hzPVNtYYzTyxb\n" \
    "OwCQqu2bK6+dOBzDq8WXeIhiEMHtvsX0GlhvE3wQ7auyOHofBYY1zITuaDdfRwJU\n" \
    "/vHTk4yTwz8opW7AAfzEn1eSk1AplAkG9AER0Xyqi000Z7P1zYqDjjGpK6bmu1oA\n" \
    "cpNkXspmCxww0GHPnwjctr5i32ddGvZ6dYYA8u32pf/M09eUPnI3cf0nkGc/vq73\n" \
    "uZC51XeR0BDksFNjC4/XWt4g1Vz1sWkujI0G5EFcR1NacEPhzcs6mVpoCvtpWHku\n" \
    "Xp9HYXiYo4sylKvTV9cGT92noWV+nDdCdE9iQ/Nr6BUc15KvcoBB3XlXfrURYtNW\n" \
    "eAPpRnTnF8F5mBs6ythoA4cQYVDm17DLOshp2HH5jnbMPHA1NttNOtmzdPcupjh2\n" \
    "P1C2E0lmQQHUn75ujTfoiWIMGcGi8UG1S+kNTlsQ0gtJmZNFTtUpJvN6ptZlqaDC\n" \
    "6U8Bn2oIp9kXcPqWDlQCLLhrGbB+m6vQzMC2FSS0Qk4mE1Zd8lLAxsxFt9b9AKx/\n" \
    "5/ULF83hqt0hGc+YReFXlp8cu030sQIDAQABAoICAAFmst6SGz50obuftWunCgZy\n" \
    "pHc/Cw1VEUkCY8/FSyGl4RITCMQqAp3mQmR82Jqtayx33uEodWO6EuaMNV6yzAHk\n" \
    "ifXbqMiywyjFnwdF3ZpVuJcfcfil+5y9jju2KWEde2gMEkXoQHseAdBZ/GQ5vCRP\n" \
    "M9ClsgMnv9TFpiUetjsoc2pvIPaZ86bkMqqfdJbzp0jJQsdPqVEfUJ7VaWu30grJ\n" \
    "1btMHL36kKCd1VC4EscZjvM3/t4hqPKGWDj2WUX5y65AYn3pGaa1eWT4qpje1PUU\n" \
    "JOAVrTyATWdyg8cs6DIV6TmFGBSmUwLMiSbpeu/XNS1OB+Fw8dfgULdo9OsAJ4LK\n" \
    "6mpHRmTaUHzJ9YymZjPr9gHHEQnw3Mpk7KKeYkj1uy2ruDIlpHnaC04E0W4HXfBW\n" \
    "fd7F+6bFr8eFQQwB1xnpLEmmKd8o9r7/3QiJ++PnllTtLBBh0jVxGnPKc1oUr8NI\n" \
    "qfdQYjx5sYSt56SfwI2zYhBPCr6SAe715AhL/SLfiZuu+hLERf5LgkB7R9lLoore\n" \
    "urbwQnI/JtyoaEorZg7vlvS3WQWd7080jmM8QSnOd0U0apOl5DN5UybRDptA3hJb\n" \
    "5sNckEv54qTPaxY5Sy2N8/Zl8v3O0Q8bhz29GNlVuvKsDVDS79nal0MnJFwp9HZ2\n" \
    "WHFRKr5vkptjKX7u9hZ9AoIBAQD/90WYPOUoY/YFEycGGrVFDjufxNjerVciKjZP\n" \
    "o9U21ez7NLzYJZqFnh6LmUssFrgBb5hDt/emUV2zj5jAGroTjKVoXkMzG2wA86aI\n" \
    "Wx590K14fHusCXblGczVSe2ujg3OIjfdcgVHU6G+I79W0su0hyTMzjSyGMqTz4FZ\n" \
    "1pxy0eWtzKCi4cMAC9qMd9dLRoCemDBqp0hbaxD0YTs/C9mfduybqOsU7MeiT8Mz\n" \
    "If3YVNT+3BFDHAyk3PEk8wuN/UI+kQirZE2/DonrurbMwd69YGlJ/5CnbwMc9KaQ\n" \
    "RAcD3IxkTOxpaWP1Rs01p8YlncnAm8P4hICoFm/NUOROyGU1AoIBAQDC3YCWWMow\n" \
    "vxbGI6skMhM43vfb/kHmvAaO0FKmxTZ/kcbUdV+kXQ34nUNJq7j6vn/HS5RzGV7D\n" \
    "6XnhGfqHhgJMvORmj/BSDepYVhw50Hk0QH4sFpDTuo/3LMFmTKFXTlF9mkQMOW8v\n" \
    "i1jxCscPU98CCugTMgAyPwObNWNjU3ddvKdgwdNnA/dNHGWT683m0xLMjkHp8ABe\n" \
    "fvbPr/2zJExQ3yphgPDax5VlnRd8j3pdjVYp4e5e17scrqT95iNPCNYe6hpNGhaN\n" \
    "lezNgCzOtFDLNbjvW0heFHlxxsnktbjlWIEoiM6zyQ7PMuvyPUs8ZCPpcwatUiP8\n" \
    "y+RYbJuXTK0NAoIBAQDrpws7jVSsSttE8M0MoaohWWkrPl8rIwsFOTenOn4hbfIv\n" \
    "k+4IURZhzaDxhL/gZ0ogiEz2i3hEdsR9e8Z1liWZufLOk3nqo2Rbu/Wls73utx/9\n" \
    "vR1e1ZfQdGBQPS/FdKLhFD+6cC7L7AMMunx9wrQoEAOhSnbZQFnAm1nLC/oc+4Eo\n" \
    "8SsyygZtFHywteRQOShQ2mw4xKmpAHkrhBi3goFofmR3KpzDNvrUQ/rCKJk7gV5X\n" \
    "BOQflMNPRNn92oTYxEEouP3yTPYG36u6irug5xvZ3dkRd2gFvf5vug1e5EJRG8tk\n" \
    "zC0bHxwXxIdIzp1uJEaKPN2+/r40AfQMYlzO60/BAoIBAEn02T22ex5fF9yhYu28\n" \
    "15DJBtcGu6o/iFmhdQz4YkOuZwDxfxgZfRjzTrtiIjWAIWzZIYFBirbeILSvMGdJ\n" \
    "FAxd0G2giXwK7fsSy2mh1q5fH8PJ2LOS5drQsKILyVwiTElYSCU/kxQ/VcU96ujF\n" \
    "UykqTIQkgPCQ++RnMc5bujzoQbo2Ne6uEajBc0fdwequBz99akTIIsu6ch/G0omv\n" \
    "6Ar1d9dDoaXXA7tqEKTkq3NgFeiVZ+u1Ar3TBqmaM6JmXyWigdLraM3ZreMcl2To\n" \
    "CJXnUMX/JgsWyDTHVo6n7YGVwodIzPJtB2LaF7R7UNedxgdu8YTMXP4vv/1TUwXs\n" \
    "Qu0CggEBALp4+hp5LBaZ6Rz9m1n6jxBYXYwQ8ab45FeaU3iWmhkAncg0LDCqaGeO\n" \
    "fhQaD4aq4cM+vrwOiDatMO18+26ejNlHq5os+iQKqqZ9Rs/lFeqi4xsIUdWow1Gr\n" \
    "V2IKTfMI5I34XDhAlcv7KOwAFqpAe6iVW8OM4fY3QExpKdgEg6yaNv9zpR8blOS9\n" \
    "PjK8rgUaRdchaM/lsoTNtQVttCo17bk/m5JBjUmkA3R52yqQFKoEg+1WamSYwvFt\n" \
    "ZB+GyLP0oSTGIpdO8lHkxunrddiqGWX6/0qWTxumWE4bue05EE2N6nwWXhBNlE1R\n" \
    "JdrOQWM3tIlnR4dl3hQtFwT0yM/mozg=\n" \
    "-----END PRIVATE KEY-----\n"

/* The one of this size; the caller's. */
static inline EVP_PKEY *
rsa_key(unsigned bits)
{
	const char *pem = bits == 768 ? RSA_768_PEM : bits == 1024 ?
	    RSA_1024_PEM : bits == 2048 ? RSA_2048_PEM : RSA_4096_PEM;
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	assert_non_null(key);
	assert_int_equal(EVP_PKEY_get_bits(key), bits);
	BIO_free(bio);
	return key;
}

#endif
