-- wrk sends one request per token in turn, built before the clock starts, and ends with one line for bench.sh.
-- Arguments: file of tokens, one per line.

local requests = {}
local at = 0

wrk.headers["Host"] = "bench.example.test"
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
wrk.headers["Accept"] = "application/json, text/plain, */*"

function init(args)
    for token in io.lines(args[1]) do
        wrk.headers["Authorization"] = "Bearer " .. token
        requests[#requests + 1] = wrk.format("GET", "/api/items/42")
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format("BENCH %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
