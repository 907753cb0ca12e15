/** What we use of dcmjs' generated dictionary, which comes without types. */
declare module 'dcmjs/dictionary' {
  export const dictionary: Readonly<Record<string, {
    readonly tag: string
    readonly vr?: string
    readonly name?: string
    readonly vm: string
    readonly version: string
  }>>
}
