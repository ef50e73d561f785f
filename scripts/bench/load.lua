-- What wrk sends to either contender; the case comes from the environment (see scripts/bench.py).
local kind = os.getenv("K_KIND") -- page | detail | order | cycle
local base = os.getenv("K_PATH") -- path, may contain {n}
local confirm = os.getenv("K_CONFIRM")
local highest = tonumber(os.getenv("K_MAX") or "5000")
local lines = tonumber(os.getenv("K_LINES") or "3")
local keyed = os.getenv("K_KEYED") == "1" -- a fresh Idempotency-Key on every order
local header = { ["Authorization"] = "Bearer " .. (os.getenv("K_TOKEN") or ""), ["Content-Type"] = "application/json" }
if os.getenv("K_NO_CACHE") == "1" then header["Cache-Control"] = "no-cache" end
local run, sent = "", 0
local queue, head, tail = {}, 1, 0

function init(args)
  math.randomseed(os.time() + math.floor(os.clock() * 1e6))
  for _ = 1, 10 do math.random() end
  run = string.format("%08x%08x", math.random(0, 2 ^ 31 - 1), math.random(0, 2 ^ 31 - 1))
end

local function body()
  local seen, parts = {}, {}
  while #parts < lines do
    local product = math.random(1, highest)
    if not seen[product] then
      seen[product] = true
      parts[#parts + 1] = '{"product_id":' .. product .. ',"quantity":' .. math.random(1, 3) .. "}"
    end
  end
  return '{"items":[' .. table.concat(parts, ",") .. "]}"
end

local function post(path)
  if keyed then
    sent = sent + 1
    header["Idempotency-Key"] = run .. "-" .. sent
  end
  return wrk.format("POST", path, header, body())
end

function request()
  if kind == "order" then return post(base) end
  if kind == "cycle" then
    local id = queue[head]
    if id then
      queue[head] = nil
      head = head + 1
      return wrk.format("POST", (confirm:gsub("{n}", id)), header, "")
    end
    return post(base)
  end
  return wrk.format("GET", (base:gsub("{n}", tostring(math.random(1, highest)))), header)
end

if kind == "cycle" then
  function response(status, headers, text)
    if status == 201 then
      tail = tail + 1
      queue[tail] = text:match('"id":%s*(%d+)')
    end
  end
end

function done(summary, latency, requests)
  io.write(string.format(
    'JSON{"requests":%d,"secs":%.4f,"p50":%.3f,"p90":%.3f,"p99":%.3f,"max":%.3f,"bytes":%d,"bad":%d,"sock":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(90) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, summary.bytes, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
