# In: tokens, one in a line; an empty line is none. Out: a request head for each, one behind the other, as long as BYTES or
# longer if the token is. METHOD, TARGET, HOST, BODY (bytes).

BEGIN {
    fields = "Host: " HOST "\r\n" \
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" \
        "Accept: application/json, text/plain, */*\r\nAccept-Language: en-US,en;q=0.5\r\n"
    if (BODY) fields = fields "Content-Type: application/octet-stream\r\nContent-Length: " BODY "\r\n"
}

{
    head = METHOD " " TARGET " HTTP/1.1\r\n" fields ($0 ? "Authorization: Bearer " $0 "\r\n" : "")
    missing = BYTES - length(head) - length("Cookie: visit=\r\n\r\n")
    while (missing > 0 && length(padding) < missing) padding = padding "0123456789abcdef"
    if (missing > 0) head = head "Cookie: visit=" substr(padding, 1, missing) "\r\n"
    printf "%s\r\n", head
}
