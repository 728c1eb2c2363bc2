-- The token opens the folder that its claim `pfx` names, such as audio/tracks/<id>/<id>/.
-- Only here the path becomes one that the store knows: should this fail, nothing is found.
function envoy_on_request(handle)
  local claims = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  local folder = claims and claims["media"] and claims["media"]["pfx"]
  local path = handle:headers():get(":path")
  local inside = type(folder) == "string" and folder:match("^audio/.+/$")
    and path:sub(1, #folder + 7) == "/media/" .. folder
  if not inside or path:find("%", 1, true) or path:find("..", 1, true) then
    handle:respond({[":status"] = "403"}, "")
    return
  end
  handle:headers():replace(":path", path:sub(#"/media" + 1))
end
