// Speaks to the device's passkeys: turns the options of the server into what
// navigator.credentials takes, and its answer into JSON (WebAuthn level 3,
// sections 5.1.8 and 5.2), in browsers that cannot do it themselves too.

type Json = Record<string, unknown>;

const bytes = (text: string): Uint8Array<ArrayBuffer> => {
  const raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(raw, (c) => c.charCodeAt(0));
};

const text = (buffer: ArrayBuffer | null): string | undefined => {
  if (!buffer) return undefined;
  let raw = "";
  for (const b of new Uint8Array(buffer)) raw += String.fromCharCode(b);
  return btoa(raw).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

const known = (list: unknown) =>
  ((list as { type: "public-key"; id: string }[] | undefined) ?? []).map((c): PublicKeyCredentialDescriptor => ({ ...c, id: bytes(c.id) }));

export const able = (): boolean => "credentials" in navigator && "PublicKeyCredential" in window;

// register makes a passkey on this device.
export async function register(options: Json): Promise<Json> {
  const user = options.user as { id: string; name: string; displayName: string };
  const made = (await navigator.credentials.create({
    publicKey: {
      ...(options as unknown as PublicKeyCredentialCreationOptions),
      challenge: bytes(options.challenge as string),
      user: { ...user, id: bytes(user.id) },
      excludeCredentials: known(options.excludeCredentials),
    },
  })) as PublicKeyCredential | null;
  if (!made) throw new DOMException("", "NotAllowedError");
  const r = made.response as AuthenticatorAttestationResponse;
  return answer(made, { clientDataJSON: text(r.clientDataJSON), attestationObject: text(r.attestationObject), transports: r.getTransports?.() ?? [] });
}

// assert has a passkey sign the challenge.
export async function assert(options: Json): Promise<Json> {
  const made = (await navigator.credentials.get({
    publicKey: {
      ...(options as unknown as PublicKeyCredentialRequestOptions),
      challenge: bytes(options.challenge as string),
      allowCredentials: known(options.allowCredentials),
    },
  })) as PublicKeyCredential | null;
  if (!made) throw new DOMException("", "NotAllowedError");
  const r = made.response as AuthenticatorAssertionResponse;
  return answer(made, {
    clientDataJSON: text(r.clientDataJSON),
    authenticatorData: text(r.authenticatorData),
    signature: text(r.signature),
    userHandle: text(r.userHandle),
  });
}

function answer(made: PublicKeyCredential, response: Json): Json {
  return {
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    authenticatorAttachment: made.authenticatorAttachment ?? undefined,
    clientExtensionResults: made.getClientExtensionResults(),
    response,
  };
}
