// What a front end does, checked by the compiler against the types that openapi-typescript makes of the schema.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Refusal = components["schemas"]["SMSVerifySendBadRequest"] | components["schemas"]["SMSVerifyVerifyBadRequest"];

const { GET, POST } = createClient<paths>({ baseUrl: "https://www.example.com" });

export async function send(phone: string, ticket: string | null): Promise<string> {
  const { data, error } = await POST("/sms/send/", { body: { phone, purpose: "login", ticket } });
  if (data) return data.verification_id;
  if (error.code === "throttled") return `${error.scope}: again in ${error.retry_after.toFixed()} s`;
  if (error.code === "captcha_required" && error.captcha?.kind === "image") return error.captcha.image;
  return error.detail;
}

export async function verify(verification_id: string, code: string): Promise<string> {
  const { data, error } = await POST("/sms/verify/", { body: { verification_id, code } });
  if (data) return data.proof;
  if (error.code === "wrong_code") return `${error.attempts_left.toFixed()} left`;
  // @ts-expect-error: the compiler knows that no answer has this word
  if (error.code === "forgotten") return "";
  return error.detail;
}

export async function status(verification_id: string): Promise<string> {
  const { data } = await GET("/sms/send/{verification_id}/", { params: { path: { verification_id } } });
  return data?.status === "not_sent" ? data.code : (data?.status ?? "");
}

// @ts-expect-error: neither a number with a purpose nor a verification
await POST("/sms/send/", { body: { phone: "13800138000" } });

export const isOver = ({ code }: Refusal): boolean => code === "expired" || code === "already_used";
