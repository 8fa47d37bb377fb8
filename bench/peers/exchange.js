// The peer: the exchange as a Fastify route with undici and supabase-js, the three plain steps.
//
// It neither claims, seals nor journals, and asks TikTok twice where we ask three times. It is made
// fast honestly: undici.request in place of fetch, its keep-alive pool, schemas for what comes in and
// goes out, no request log. With LEAN set, supabase-js, too, goes over undici.request.

import { createClient } from "@supabase/supabase-js";
import Fastify from "fastify";
import { request } from "undici";

const { TIKTOK_URL, SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY, PORT } = process.env;
const API = `${TIKTOK_URL}/open_api/v1.3/oauth2`;
const APP = { app_id: "7001", secret: "bench-secret" };

// What supabase-js reads of an answer, without building a whole Response.
async function overUndici(address, { method, headers, body }) {
  const answer = await request(address, { method, headers: Object.fromEntries(headers), body });
  return {
    ok: answer.statusCode < 300,
    status: answer.statusCode,
    statusText: "",
    headers: { get: (name) => answer.headers[name.toLowerCase()] ?? null },
    text: () => answer.body.text(),
  };
}

const supabase = createClient(SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY, {
  auth: { persistSession: false, autoRefreshToken: false },
  global: process.env.LEAN ? { fetch: overUndici } : {},
});

async function ask(address, options) {
  const answer = await request(address, options);
  const said = await answer.body.json();
  if (said.code !== 0) throw new Error(said.message);
  return said.data;
}

const word = { type: "string", minLength: 1 };
const body = {
  type: "object",
  required: ["auth_code", "state"],
  properties: { auth_code: word, state: word },
};
const response = {
  200: {
    type: "object",
    properties: {
      success: { type: "boolean" },
      business_id: word,
      account_id: word,
      message: word,
    },
  },
};

const app = Fastify({ logger: false });

app.post("/oauth/exchange", { schema: { body, response } }, async (asked) => {
  const { auth_code, state } = asked.body;
  const { user_id } = JSON.parse(Buffer.from(state, "base64url").toString());
  const { access_token } = await ask(`${API}/access_token/`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...APP, auth_code }),
  });
  const { list } = await ask(
    `${API}/advertiser/get/?app_id=${APP.app_id}&secret=${APP.secret}`,
    { headers: { "access-token": access_token } },
  );
  const [{ advertiser_id, advertiser_name }] = list;
  const { error } = await supabase.from("user_accounts").upsert({
    id: user_id,
    tiktok_access_token: access_token,
    tiktok_account_id: advertiser_name,
    tiktok_business_id: advertiser_id,
  });
  if (error) throw error;
  return {
    success: true,
    business_id: advertiser_id,
    account_id: advertiser_name,
    message: "TikTok connected successfully",
  };
});

app.get("/readyz", async () => ({ ready: true }));

await app.listen({ port: Number(PORT), host: "127.0.0.1" });
