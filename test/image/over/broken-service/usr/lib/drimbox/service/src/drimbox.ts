/** In images made for tests only: a release whose gateway throws as it starts. */
throw new Error('this release was made to fail')
