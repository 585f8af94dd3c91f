-- Load for one subject. arguments after "--": a file with the headers (one "name: value" a line), a file with the
-- body, in which "@ID@" stands for the JSON-RPC id. Requests are made ahead, so that the driver costs little.
local ready = {}
local at = 0

function init(args)
  local headers = {}
  for line in io.lines(args[1]) do
    local name, value = line:match("^([^:]+): (.*)$")
    headers[name] = value
  end
  local body = io.open(args[2]):read("*a")
  for id = 1, 16384 do
    ready[id] = wrk.format("POST", nil, headers, (body:gsub("@ID@", tostring(id))))
  end
end

function request()
  at = at % 16384 + 1
  return ready[at]
end

function done(summary, latency, requests)
  io.write(string.format(
    '\nJSON {"calls":%d,"seconds":%.6f,"p50_ms":%.4f,"p99_ms":%.4f,"bad_status":%d,"broken":%d,"timeout":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write, summary.errors.timeout))
end
