"use strict";
// Begins with the others: says `ready` and waits until it is told to go.
const readline = require("node:readline");

exports.go = () =>
  new Promise((resolve) => {
    const input = readline.createInterface({ input: process.stdin });
    input.once("line", () => {
      input.close();
      resolve();
    });
    console.log("ready");
  });

exports.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
