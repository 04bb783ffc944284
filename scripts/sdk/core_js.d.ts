declare module "core-js/modules/*";

interface Window {
  /** Internet Explorer's name of `crypto`. */
  msCrypto: Crypto;
}
