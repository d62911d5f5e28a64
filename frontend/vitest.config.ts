import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "jsdom",
    environmentOptions: { jsdom: { url: "https://shop.example/products/mug" } },
    include: ["tests/**/*.test.ts"],
    restoreMocks: true,
  },
});
