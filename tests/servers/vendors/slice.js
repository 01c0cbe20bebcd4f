// Cuts out of a vendor's own OpenAPI description what one of our definitions asks for, so that a
// server made from it is up within seconds: the operations that the definition sends, what their
// requests refer to as a whole, and what their answers refer to up to some levels.
//
// usage: node slice.js DEFINITION DESCRIPTION > SLICE
//
// The path of the description's server is put before each path. Operations of the definition that
// the description does not have are written to standard error, one a line, as `METHOD /path`.
'use strict';
const fs = require('fs');

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
// References in answers that are followed one inside of the other; beyond them anything goes.
const LEVELS = 3;

const [definitionFile, descriptionFile] = process.argv.slice(2);
const definition = fs.readFileSync(definitionFile, 'utf8');
const description = JSON.parse(fs.readFileSync(descriptionFile, 'utf8'));

// What the definition sends, without comments: `send: GET /path`.
const lines = definition.split('\n').filter((line) => !line.trim().startsWith('#'));
const matches = lines.join('\n').matchAll(/send: ([A-Z]+ \/\S*)/g);
const sent = new Set([...matches].map((match) => match[1]));
if (sent.size === 0) throw new Error(`${definitionFile} sends nothing`);

const server = new URL((description.servers || [{}])[0].url || '/', 'https://vendor.example');
const base = server.pathname.replace(/\/$/, '');

// A place such as `{id}` on either side fits any segment with the same ending.
function segmentFits(one, other) {
  if (!one.includes('{') && !other.includes('{')) return one === other;
  const ending = (segment) => segment.replace(/^.*\}/, '');
  const open = one.includes('{') ? one : other;
  const text = one.includes('{') ? other : one;
  return text.endsWith(ending(open)) && (!text.includes('{') || open.endsWith(ending(text)));
}

function fits(one, other) {
  const [mine, theirs] = [one.split('/'), other.split('/')];
  return mine.length === theirs.length && mine.every((part, at) => segmentFits(part, theirs[at]));
}

const kept = {};

function lookUp(reference) {
  if (!reference.startsWith('#/')) throw new Error(`reference to another file: ${reference}`);
  const plain = (key) => decodeURIComponent(key).replace(/~1/g, '/').replace(/~0/g, '~');
  const keys = reference.slice(2).split('/').map(plain);
  return { keys, value: keys.reduce((node, key) => node && node[key], description) };
}

// Keeps what a node refers to. With `levels`, references beyond so many are left out.
function keep(node, levels) {
  if (Array.isArray(node)) return node.map((one) => keep(one, levels));
  if (node === null || typeof node !== 'object') return node;
  if (typeof node.$ref === 'string') {
    const { keys, value } = lookUp(node.$ref);
    if (levels !== undefined) return levels === 0 ? {} : keep(value, levels - 1);
    let place = kept;
    for (const key of keys.slice(0, -1)) place = place[key] = place[key] || {};
    const last = keys[keys.length - 1];
    if (!(last in place)) {
      place[last] = {};
      place[last] = keep(value);
    }
    return node;
  }
  const copy = {};
  for (const [key, value] of Object.entries(node)) {
    // Prose and extensions of the vendor's own tools check nothing.
    if (key.startsWith('x-') || (key === 'description' && typeof value === 'string')) continue;
    copy[key] = keep(value, levels);
  }
  return copy;
}

const paths = {};
const missing = new Set(sent);
for (const [path, item] of Object.entries(description.paths)) {
  for (const method of METHODS.filter((name) => item[name])) {
    const asked = [...sent].filter((one) => {
      const [verb, wanted] = one.split(' ');
      return verb.toLowerCase() === method && fits(wanted, base + path);
    });
    if (asked.length === 0) continue;
    asked.forEach((one) => missing.delete(one));
    const { responses, ...request } = item[method];
    const entry = (paths[base + path] = paths[base + path] || {});
    if (item.parameters) entry.parameters = keep(item.parameters);
    entry[method] = { ...keep(request), responses: keep(responses, LEVELS) };
    for (const answer of Object.values(entry[method].responses)) answer.description = '-';
  }
}
for (const one of missing) process.stderr.write(`${one}\n`);

const components = { ...(kept.components || {}) };
if (description.components && description.components.securitySchemes) {
  components.securitySchemes = keep(description.components.securitySchemes);
}
const slice = {
  openapi: description.openapi,
  info: { title: description.info.title, version: String(description.info.version) },
  paths,
  components,
};
if (description.security) slice.security = description.security;
process.stdout.write(JSON.stringify(slice));
