import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/** What the built page holds of others, with their licences, which a minifier would leave out. */
function licences(): Plugin {
  return {
    name: "licences",
    generateBundle() {
      const source = `OpenSeadragon\n\n${readFileSync("node_modules/openseadragon/LICENSE.txt", "utf8")}`;
      this.emitFile({ type: "asset", fileName: "LICENSES.txt", source });
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [licences()],
  build: {
    outDir: "../src/localsr/serving/page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the content security policy allows no data: addresses
    modulePreload: false,
    rolldownOptions: {
      output: {
        // names without hashes: the committed build then changes where its sources did
        entryFileNames: "page.js",
        chunkFileNames: "[name].js",
        assetFileNames: "page[extname]",
      },
    },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
});
