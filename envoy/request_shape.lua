-- Refuses what no decent client sends, before anybody reads it in two ways.
function envoy_on_request(handle)
  local headers = handle:headers()
  local path, method, content_type = headers:get(":path"), headers:get(":method"), headers:get("content-type")
  local refusal
  if #path > 8192 then
    refusal = "414"
  elseif path:gsub("%%%x%x", ""):find("%", 1, true) then -- a percent sign that encodes nothing
    refusal = "400"
  elseif content_type and path:sub(1, 4) == "/v1/" and (method == "POST" or method == "PATCH") then
    -- Pages of other people can send forms and text without asking, but neither JSON nor gRPC.
    local type = content_type:lower():match("^[^;%s]*")
    if not type:match("^application/[%w.+-]*json$") and not type:match("^application/grpc") then
      refusal = "415"
    end
  end
  if refusal then
    handle:respond({[":status"] = refusal}, "")
  end
end
