process.env.ROOKERY_TEST_CONSUL = 'secured';
