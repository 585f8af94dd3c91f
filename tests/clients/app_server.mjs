// A stdio server with an MCP App, made with the official libraries (@modelcontextprotocol/server and ext-apps).
//   argv[2]: the folder that holds node_modules

import { pathToFileURL } from 'node:url';

const modules = pathToFileURL(`${process.argv[2]}/node_modules/`);
const load = (path) => import(new URL(path, modules));
const { McpServer } = await load('@modelcontextprotocol/server/dist/index.mjs');
const { serveStdio } = await load('@modelcontextprotocol/server/dist/stdio.mjs');
const apps = await load('@modelcontextprotocol/ext-apps/dist/src/server/index.js');

const URI = 'ui://clock/view.html';

function make() {
  const server = new McpServer({ name: 'clock', version: '1.0.0' });
  const config = { description: 'Tells the time.', inputSchema: {}, _meta: { ui: { resourceUri: URI } } };
  apps.registerAppTool(server, 'clock', config, async () => ({ content: [{ type: 'text', text: 'noon' }] }));
  const ui = { csp: { connectDomains: ['https://time.example'] }, prefersBorder: true };
  apps.registerAppResource(server, 'Clock', URI, { _meta: { ui } }, async () => ({
    contents: [{ uri: URI, mimeType: apps.RESOURCE_MIME_TYPE, text: '<html></html>', _meta: { ui } }],
  }));
  return server;
}

serveStdio(make);
