// Published test vectors of Signature Version 4: requests, and the signatures AWS computes for them. Restated from the
// folder aws-signing-test-suite of the crate aws-sigv4 1.6.4 (Apache-2.0), which has them from aws-c-auth. Unless a
// case says otherwise: key AKIDEXAMPLE, region us-east-1, service "service", signed at 2015-08-30T12:36:00Z.
#pragma once

#include <string_view>

namespace millrace {

struct SigV4Vector {
  std::string_view name;
  std::string_view request;  // as it is written on the wire
  std::string_view token;    // of the session; empty: none
  bool normalize = false, sign_body = false, token_later = false, encode_twice = false;
  std::string_view header_signature;
};

inline constexpr std::string_view kSigV4Tokens[] = {
    "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
    "AQoDYXdzEPT//////////"
    "wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/"
    "kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+"
    "xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==",
};

inline constexpr SigV4Vector kSigV4Vectors[] = {
    {.name = "double-encode-path",
     .request = "POST /test/@connections/JBDvjfGEIAMCERw%3D "
                "HTTP/1.1\nHost:tj9n5r0m12.execute-api.us-east-1.amazonaws.com\nX-amz-date:20150830T123600Z\n",
     .normalize = true,
     .encode_twice = true,
     .header_signature = "57d157672191bac40bae387e48bbe14b15303c001fdbb01f4abf295dccb09705"},
    {.name = "double-url-encode",
     .request = "POST "
                "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A892717189312%3Afunction%3Amy-rusty-fun/"
                "invocations HTTP/1.1\nHost:lambda.us-east-2.amazonaws.com\nX-Amz-Date:20210511T154045Z\n",
     .normalize = true,
     .encode_twice = true,
     .header_signature = "4b93abbcc68be32bd64c18e2c71150660ab4c29bbd6c32a383a7517a88fc1804"},
    {.name = "get-header-key-duplicate",
     .request = "GET / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1:value2\nMy-Header1:value2\nMy-Header1:value1\n",
     .normalize = true,
     .header_signature = "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {.name = "get-header-value-multiline",
     .request = "GET / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1:value1\n  value2\n     value3\n",
     .normalize = true,
     .header_signature = "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd"},
    {.name = "get-header-value-order",
     .request = "GET / "
                "HTTP/"
                "1.1\nHost:example.amazonaws.com\nMy-Header1:value4\nMy-Header1:value1\nMy-Header1:value3\nMy-Header1:"
                "value2\n",
     .normalize = true,
     .header_signature = "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {.name = "get-header-value-trim",
     .request = "GET / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1: value1\nMy-Header2: \"a   b   c\"\n",
     .normalize = true,
     .header_signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {.name = "get-relative-normalized",
     .request = "GET /example/.. HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-relative-relative-normalized",
     .request = "GET /example1/example2/../.. HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-relative-relative-unnormalized",
     .request = "GET /example1/example2/../.. HTTP/1.1\nHost:example.amazonaws.com\n",
     .header_signature = "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b"},
    {.name = "get-relative-unnormalized",
     .request = "GET /example/.. HTTP/1.1\nHost:example.amazonaws.com\n",
     .header_signature = "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282"},
    {.name = "get-slash-dot-slash-normalized",
     .request = "GET /./ HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-slash-dot-slash-unnormalized",
     .request = "GET /./ HTTP/1.1\nHost:example.amazonaws.com\n",
     .header_signature = "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
    {.name = "get-slash-normalized",
     .request = "GET // HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-slash-pointless-dot-normalized",
     .request = "GET /./example HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
    {.name = "get-slash-pointless-dot-unnormalized",
     .request = "GET /./example HTTP/1.1\nHost:example.amazonaws.com\n",
     .header_signature = "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff"},
    {.name = "get-slash-unnormalized",
     .request = "GET // HTTP/1.1\nHost:example.amazonaws.com\n",
     .header_signature = "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e"},
    {.name = "get-slashes-normalized",
     .request = "GET //example// HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
    {.name = "get-slashes-unnormalized",
     .request = "GET //example// HTTP/1.1\nHost:example.amazonaws.com\n",
     .header_signature = "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"},
    {.name = "get-space-normalized",
     .request = "GET /example%20space/ HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {.name = "get-space-unnormalized",
     .request = "GET /example space/ HTTP/1.1\nHost:example.amazonaws.com\n",
     .header_signature = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {.name = "get-unreserved",
     .request = "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz "
                "HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {.name = "get-utf8",
     .request = "GET /\xE1"
                "\x88"
                "\xB4"
                " HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {.name = "get-vanilla",
     .request = "GET / HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-vanilla-empty-query-key",
     .request = "GET /?Param1=value1 HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {.name = "get-vanilla-query",
     .request = "GET / HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-vanilla-query-order-encoded",
     .request = "GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1 HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
    {.name = "get-vanilla-query-order-key-case",
     .request = "GET /?Param2=value2&Param1=value1 HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {.name = "get-vanilla-query-unreserved",
     .request = "GET "
                "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~"
                "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {.name = "get-vanilla-utf8-query",
     .request = "GET /?\xE1"
                "\x88"
                "\xB4"
                "=bar HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {.name = "get-vanilla-with-session-token",
     .request = "GET / HTTP/1.1\nHost:example.amazonaws.com\n",
     .token = kSigV4Tokens[0],
     .normalize = true,
     .header_signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
    {.name = "post-header-key-case",
     .request = "POST / HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {.name = "post-header-key-sort",
     .request = "POST / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1:value1\n",
     .normalize = true,
     .header_signature = "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {.name = "post-header-value-case",
     .request = "POST / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1:VALUE1\n",
     .normalize = true,
     .header_signature = "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
    {.name = "post-sts-header-after",
     .request = "POST / HTTP/1.1\nHost:example.amazonaws.com\n",
     .token = kSigV4Tokens[1],
     .normalize = true,
     .token_later = true,
     .header_signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {.name = "post-sts-header-before",
     .request = "POST / HTTP/1.1\nHost:example.amazonaws.com\n",
     .token = kSigV4Tokens[1],
     .normalize = true,
     .header_signature = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
    {.name = "post-vanilla",
     .request = "POST / HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {.name = "post-vanilla-empty-query-value",
     .request = "POST /?Param1=value1 HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {.name = "post-vanilla-query",
     .request = "POST /?Param1=value1 HTTP/1.1\nHost:example.amazonaws.com\n",
     .normalize = true,
     .header_signature = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {.name = "post-x-www-form-urlencoded",
     .request = "POST / "
                "HTTP/1.1\nContent-Type:application/"
                "x-www-form-urlencoded\nHost:example.amazonaws.com\nContent-Length:13\n\nParam1=value1",
     .normalize = true,
     .sign_body = true,
     .header_signature = "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
    {.name = "post-x-www-form-urlencoded-parameters",
     .request = "POST / HTTP/1.1\nContent-Type:application/x-www-form-urlencoded; "
                "charset=utf-8\nHost:example.amazonaws.com\nContent-Length:13\n\nParam1=value1",
     .normalize = true,
     .sign_body = true,
     .header_signature = "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"},
};

}  // namespace millrace
