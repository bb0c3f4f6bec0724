// Calls operations with the AWS SDK for JavaScript: a request is a line of
// JSON, and so is its reply.
const readline = require("node:readline");
const sdk = require("@aws-sdk/client-athena");

const athena = new sdk.AthenaClient({});

async function call({ operation, input }) {
  try {
    return { Answer: await athena.send(new sdk[operation + "Command"](input)) };
  } catch (e) {
    if (!(e instanceof sdk.AthenaServiceException)) {
      return { Error: "no answer of the service", Message: String(e.stack) };
    }
    return {
      Error: e.name,
      Typed: sdk[e.name] !== undefined && e instanceof sdk[e.name],
      Status: e.$metadata.httpStatusCode,
      AthenaErrorCode: e.AthenaErrorCode ?? "",
      Message: e.message,
    };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await call(JSON.parse(line))));
  }
})();
