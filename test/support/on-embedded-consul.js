process.env.ROOKERY_TEST_CONSUL = 'embedded';
