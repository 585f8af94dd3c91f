#!/bin/sh
# The smallest handshake-era server that asks in the middle of a call, for tests that need a thousand of them.
# It reads the gateway's own way of writing JSON, in which the id comes first.
while IFS= read -r line; do
  rest=${line#*\"id\":}
  id=${rest%%,*}
  case $line in
  *'"method":"initialize"'*)
    echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}}'
    ;;
  *'"method":"server/discover"'*)
    echo '{"jsonrpc":"2.0","id":'"$id"',"error":{"code":-32601,"message":"no"}}'
    ;;
  *'"method":"tools/list"'*)
    echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"tools":[{"name":"x","inputSchema":{"type":"object"}}]}}'
    ;;
  *'"method":"tools/call"'*)
    call=$id
    echo '{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}}'
    ;;
  *'"id":"q"'*)
    echo '{"jsonrpc":"2.0","id":'"$call"',"result":{"content":[{"type":"text","text":"\"answered\""}]}}'
    ;;
  esac
done
