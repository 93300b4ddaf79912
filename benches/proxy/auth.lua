-- What adit checks of a token, for nginx: algorithm, signature, expiry, a rule on the path. OpenSSL through LuaJIT's FFI, with
-- the keys parsed once and one HMAC context, which is the fastest that Debian's packages can be put together to.

local ffi = require("ffi")
local cjson = require("cjson.safe")
local decode = require("ngx.base64").decode_base64url

ffi.cdef([[
typedef struct evp_md_st EVP_MD;
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct hmac_ctx_st HMAC_CTX;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct bio_st BIO;
const EVP_MD *EVP_sha256(void);
HMAC_CTX *HMAC_CTX_new(void);
int HMAC_Init_ex(HMAC_CTX *, const void *, int, const EVP_MD *, void *);
int HMAC_Update(HMAC_CTX *, const char *, size_t);
int HMAC_Final(HMAC_CTX *, unsigned char *, unsigned int *);
BIO *BIO_new_mem_buf(const void *, int);
EVP_PKEY *PEM_read_bio_PUBKEY(BIO *, void *, void *, void *);
EVP_MD_CTX *EVP_MD_CTX_new(void);
int EVP_MD_CTX_reset(EVP_MD_CTX *);
int EVP_DigestVerifyInit(EVP_MD_CTX *, void *, const EVP_MD *, void *, EVP_PKEY *);
int EVP_DigestVerify(EVP_MD_CTX *, const char *, size_t, const char *, size_t);
void ERR_clear_error(void);
int CRYPTO_memcmp(const void *, const void *, size_t);
]])
local C = ffi.C

local function hmac(secret)
    local context = C.HMAC_CTX_new()
    C.HMAC_Init_ex(context, secret, #secret, C.EVP_sha256(), nil)
    local digest = ffi.new("unsigned char[32]")
    return function(signed, signature)
        C.HMAC_Init_ex(context, nil, 0, nil, nil) -- the key that it has
        C.HMAC_Update(context, signed, #signed)
        C.HMAC_Final(context, digest, nil)
        return #signature == 32 and C.CRYPTO_memcmp(digest, signature, 32) == 0
    end
end

local function public_key(file)
    local pem = assert(io.open(file)):read("*a")
    local key = C.PEM_read_bio_PUBKEY(C.BIO_new_mem_buf(pem, #pem), nil, nil, nil)
    assert(key ~= nil, file)
    local context = C.EVP_MD_CTX_new()
    return function(signed, signature)
        C.EVP_MD_CTX_reset(context)
        local verified = C.EVP_DigestVerifyInit(context, nil, C.EVP_sha256(), nil, key) == 1
            and C.EVP_DigestVerify(context, signature, #signature, signed, #signed) == 1
        C.ERR_clear_error() -- or nginx takes what failed here for a failure of its next handshake
        return verified
    end
end

-- A DER INTEGER of 32 big-endian bytes.
local function integer(bytes)
    bytes = bytes:gsub("^%z+", "")
    if bytes == "" or bytes:byte() > 127 then
        bytes = "\0" .. bytes
    end
    return "\2" .. string.char(#bytes) .. bytes
end

local function ecdsa(verify)
    return function(signed, signature)
        if #signature ~= 64 then
            return false
        end
        local both = integer(signature:sub(1, 32)) .. integer(signature:sub(33))
        return verify(signed, "\48" .. string.char(#both) .. both)
    end
end

local function guard(algorithm, verify)
    local function proves(bearer)
        local signed, header, payload, signature = bearer:match("^Bearer (([^.]+)%.([^.]+))%.([^.]+)$")
        local about = signed and cjson.decode(decode(header) or "")
        signature = signed and decode(signature)
        if not about or about.alg ~= algorithm or not signature or not verify(signed, signature) then
            return false
        end
        local claims = cjson.decode(decode(payload) or "")
        return claims and claims.exp and claims.exp > ngx.time()
    end
    return function()
        local bearer = ngx.var.http_authorization
        if not bearer or not proves(bearer) then
            return ngx.exit(401)
        end
        if ngx.var.uri:sub(1, 5) ~= "/api/" then
            return ngx.exit(403)
        end
    end
end

return {
    new = function(folder, secret)
        return {
            hs256 = guard("HS256", hmac(secret)),
            es256 = guard("ES256", ecdsa(public_key(folder .. "/es256.pub"))),
            rs256 = guard("RS256", public_key(folder .. "/rs256.pub")),
        }
    end,
}
