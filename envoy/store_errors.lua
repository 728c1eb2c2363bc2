-- The store answers errors in XML; the context says which of ours each one is. What is JSON
-- already comes from the edge itself.
function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get(":status")
  if tonumber(status) < 400 or headers:get("content-type") == "application/json" then
    return
  end
  local errors = handle:filterContext()
  local answer = errors:get(status) or errors:get("other")
  headers:replace(":status", answer["status"])
  headers:replace("content-type", "application/json")
  headers:replace("cache-control", "no-store")
  headers:remove("content-length")
  local body = handle:body()
  if body then -- there is none after HEAD
    body:setBytes(answer["body"])
  end
end
