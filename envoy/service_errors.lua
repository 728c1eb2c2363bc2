-- A service says why it refuses. Its gRPC library, which speaks when the service cannot (its deadline has passed, it is
-- going away), does not: the context says which of ours each of its codes is. Its own words may hold internals.
local function explain(handle, found)
  local code = found and found:get("grpc-status")
  if code and code ~= "0" and not found:get("grpc-status-details-bin") then
    local errors = handle:filterContext()
    local answer = errors:get(code) or errors:get("other")
    for _, name in ipairs({"grpc-status", "grpc-message", "grpc-status-details-bin"}) do
      found:replace(name, answer[name])
    end
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  if (headers:get("content-type") or ""):find("application/grpc", 1, true) ~= 1 then
    return
  elseif headers:get("grpc-status") then
    explain(handle, headers)
  else
    explain(handle, handle:trailers())
  end
end
