-- wrk sends request heads in turn, each with the same body, and ends with one line for bench.sh.
-- Arguments: file of heads one behind the other, bytes of the body. In the environment EXPECTED, the status that every
-- answer must have.

local expected = tonumber(os.getenv("EXPECTED"))
local requests = {}
local at = 0
local threads = {}
others = 0 -- answers with another status; global, so that done() can ask each thread for its own

function setup(thread)
    threads[#threads + 1] = thread
end

function init(args)
    local body = string.rep("x", tonumber(args[2]))
    local text = assert(io.open(args[1])):read("*a")
    for head in text:gmatch("(.-\r\n\r\n)") do
        requests[#requests + 1] = head .. body
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

-- wrk itself counts statuses above 399, which is all that is to be known where 200 is expected, and costs it less.
if expected ~= 200 then
    function response(status)
        if status ~= expected then
            others = others + 1
        end
    end
end

function done(summary, latency)
    local e = summary.errors
    local wrong = 0
    for _, thread in ipairs(threads) do
        wrong = wrong + thread:get("others")
    end
    if expected == 200 then
        wrong = e.status
    end
    io.write(string.format("BENCH %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.timeout + wrong))
end
