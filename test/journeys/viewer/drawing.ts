/** What the viewer's page lends to the journey that drives it. */
export interface Drawing {
  /**
   * @param frame URL of the frame's resource
   * @param metadata DICOM JSON of its instance
   * @returns the picture at its own size, as a data URL of a PNG
   */
  draw (frame: string, metadata: object, columns: number, rows: number): Promise<string>
}
