-- /media/<token>/audio/... is for players that cannot send headers: the addresses inside a
-- playlist are relative and inherit the token.
function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get(":path"):match("^[^?]*")
  local token, rest = path:match("^/media/([%w_-]+%.[%w_-]+%.[%w_-]+)(/.+)$")
  if token then
    headers:replace("x-media-token", token)
    path = "/media" .. rest
  end
  headers:replace(":path", path)
end
